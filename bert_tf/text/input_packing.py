"""One text or a pair of texts as a model's input row: [CLS] first [SEP] (second [SEP]) and padding."""

import tensorflow as tf

from bert_tf.core import features


def pack(tokenizer, texts, max_length, length=None, optional=False):
    """Turns texts into the encoder's inputs, with TensorFlow ops only.

    Args:
        tokenizer: a `Tokenizer` whose vocabulary has [CLS], [SEP] and [PAD].
        texts: a list of one or two string tensors [B]: the texts, or the first and second of each pair.
        max_length: pieces a row at most. Of a pair the longer text is shortened first, of two equal ones the second,
            as `_truncate_seq_pair` of google-research/bert's run_classifier.py does.
        length: pieces a row exactly; None: the longest row of the batch.
        optional: whether a second text of "" is none: its row is then that of the first text alone.

    Returns:
        {"input_ids", "input_mask", "segment_ids"}, each int32 [B, length].
    """
    # Texts are read as far as rows could reach were every word as long as may be, so that none fills the memory.
    reach = max_length * 4 * (tokenizer.config.max_word_chars + 1)  # bytes
    segments = [tokenizer(tf.strings.substr(text, 0, reach)) for text in texts]
    ends = [tf.ones_like(segment.row_lengths()) for segment in segments]  # how many [SEP] close each
    if optional and len(texts) == 2:
        ends[1] = tf.cast(tf.strings.length(texts[1]) > 0, ends[1].dtype)
    return pack_pieces(tokenizer, _shorten(segments, max_length - 1 - tf.add_n(ends)), length, ends)


def pack_pieces(tokenizer, segments, length=None, ends=None):
    """As `pack`, of one or two segments that fit a row, each int32 ragged [B, (pieces)].

    `ends` gives the [SEP] pieces that close each segment, a list of int64 [B]; None: one each.
    """
    ends = ends or [tf.ones_like(segment.row_lengths()) for segment in segments]
    closed = [tf.concat([part, _repeat(tokenizer.sep_id, end)], 1) for part, end in zip(segments, ends, strict=True)]
    closed[0] = tf.concat([_repeat(tokenizer.cls_id, tf.ones_like(ends[0])), closed[0]], 1)
    rows = tf.concat(closed, axis=1)  # [B, (pieces)]
    segment_ids = tf.concat([tf.ones_like(part) * number for number, part in enumerate(closed)], axis=1)
    shape = [None, length]
    return {
        features.INPUT_IDS: rows.to_tensor(tokenizer.pad_id, shape=shape),
        features.INPUT_MASK: tf.ones_like(rows).to_tensor(shape=shape),
        features.SEGMENT_IDS: segment_ids.to_tensor(shape=shape),
    }


def _shorten(segments, budget):
    """Segments whose rows hold `budget` [B] pieces together at most."""
    lengths = [segment.row_lengths() for segment in segments]
    if len(segments) == 1:
        return [head(segments[0], tf.minimum(lengths[0], budget))]
    first, second = lengths
    # Taking a piece from the longer until all fit leaves both at half, or the shorter one whole.
    keep_first = tf.minimum(first, tf.maximum(budget - second, (budget + 1) // 2))
    keep_second = tf.minimum(second, tf.maximum(budget - first, budget // 2))
    return [head(segments[0], keep_first), head(segments[1], keep_second)]


def head(segment, keep):
    """The first `keep` [B] pieces of each row."""
    starts = segment.row_starts()
    return tf.gather(segment.values, tf.ragged.range(starts, starts + keep))


def _repeat(piece, counts):
    """Rows of the same piece, as many in each as `counts` [B] says."""
    return tf.RaggedTensor.from_row_lengths(tf.fill([tf.reduce_sum(counts)], piece), counts)
