"""Raw texts, or pairs of them, as the input rows of a model; too long ones are truncated."""

from collections.abc import Sequence

import tensorflow as tf

from bert_tf.text.tokenizers.base import Tokenizer


def pack(
    tokenizer: Tokenizer,
    texts: Sequence[tf.Tensor],
    max_length: int,
    length: int | tf.Tensor | None = None,
    optional: bool = False,
) -> dict[str, tf.Tensor]:
    """Turns texts into the encoder's inputs, with TensorFlow ops only.

    Args:
        tokenizer: a `Tokenizer` whose vocabulary has the special tokens that `Tokenizer.join` adds.
        texts: one or two string tensors [B]: the texts, or the first and second of each pair.
        max_length: maximum tokens of a row. Of a pair the longer text is shortened first, the second one if both are
            equal, as `_truncate_seq_pair` of google-research/bert's run_classifier.py does.
        length: S, the exact length of the rows; None: the longest row of the batch.
        optional: whether "" as second text means that there is none: the row is that of the first text alone.

    Returns:
        {"input_ids", "input_mask", "segment_ids"}, each int32 [B, S].
    """
    texts = [tf.strings.substr(text, 0, tokenizer.max_bytes(max_length)) for text in texts]
    segments = [tokenizer(text) for text in texts]
    present = [tf.ones_like(segment.row_lengths()) for segment in segments]
    if optional and len(texts) == 2:
        present[1] = tf.cast(tf.strings.length(texts[1]) > 0, present[1].dtype)
    budget = max_length - tokenizer.num_added(tf.add_n(present))  # [B]
    return tokenizer.join(_truncate(segments, budget), length, present)


def _truncate(segments, budget):
    """Segments whose rows together have at most `budget` [B] tokens."""
    lengths = [segment.row_lengths() for segment in segments]
    if len(segments) == 1:
        return [head(segments[0], tf.minimum(lengths[0], budget))]
    first, second = lengths
    # Taking tokens from the longer one until both fit leaves both at half, or the shorter one whole.
    keep_first = tf.minimum(first, tf.maximum(budget - second, (budget + 1) // 2))
    keep_second = tf.minimum(second, tf.maximum(budget - first, budget // 2))
    return [head(segments[0], keep_first), head(segments[1], keep_second)]


def head(segment: tf.RaggedTensor, keep: tf.Tensor) -> tf.RaggedTensor:
    """The first `keep` [B] tokens of each row."""
    starts = segment.row_starts()
    return tf.gather(segment.values, tf.ragged.range(starts, starts + keep))
