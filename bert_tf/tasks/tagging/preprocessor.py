"""Raw texts or lists of words, and tags, to windows for a tagger."""

from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.tasks.base import windows
from bert_tf.tasks.base.windowed_task import WindowedPreprocessor
from bert_tf.tasks.tagging import decoding, schemes
from bert_tf.tasks.tagging.pretokenized import as_words, begins_of_words, cut_words, is_words

# N texts, W windows, S positions of a row

# Inputs beside the encoder's, each int32 [W, S].
WORD_MASK = "word_mask"  # 1 where a word begins whose tag is read in this window
WORD_STARTS = "word_starts"  # there: the word's first character in its text, or its number where words are given
WORD_ENDS = "word_ends"  # there: the character after its last, or the number of the next word


class TaggingPreprocessor(WindowedPreprocessor):
    """Finds the words of texts among their tokens; places are characters, or words where words are given."""

    def __init__(
        self,
        spec: Any,
        tokenizer: Any,
        max_length: int,
        stride: int | None,
        labels: list[str],
        scheme: str | None,
        decoder: decoding.Decoder,
    ):
        super().__init__(spec, tokenizer, max_length, stride)
        self._labels, self._scheme, self._decoder = labels, scheme, decoder
        self._starts_word = tf.constant(tokenizer.starts_word)

    def encode_texts(self, texts: Any, training: bool = False) -> tuple:
        """Raw texts as a string tensor [N] or lists of words as a ragged one [N, (words)], in a tuple."""
        (texts,) = texts if isinstance(texts, tuple) else (texts,)
        return (as_words(texts, allow_empty=not training),) if is_words(texts) else super().encode_texts(texts)

    def encode_targets(self, targets: Any) -> tf.RaggedTensor:
        """Lists of tags, in any scheme, as numbers: int32 ragged [N, (words)]; an unknown tag raises `InputError`."""
        number = {label: i for i, label in enumerate(self._labels)}
        rows = [self._in_scheme(row, sentence) for row, sentence in enumerate(targets)]
        found = [number[tag] for sentence in rows for tag in sentence]
        return tf.RaggedTensor.from_row_lengths(np.array(found, "int32"), [len(sentence) for sentence in rows])

    def _in_scheme(self, row: int, sentence: Any) -> list:
        """The tags of a sentence in the model's scheme."""
        known = self._scheme is None or all(isinstance(tag, str) and schemes.spells_entities(tag) for tag in sentence)
        converted = schemes.convert(sentence, self._scheme) if known else sentence
        for place, tag in enumerate(converted):
            if tag not in self._labels:
                raise InputError(
                    f"Row {row}, word {place}: the tag is {sentence[place]!r}. "
                    f"The model's tags: {', '.join(self._labels[:20])}."
                )
        return converted

    def encode_examples(self, texts: Any, targets: Any) -> tuple:
        if not is_words(texts if not isinstance(texts, tuple) else texts[0]):
            raise InputError("Received raw texts with tags. Give each sentence as a list of words, a tag for each.")
        texts, encoded = super().encode_examples(texts, targets)
        counts, tag_counts = texts[0].row_lengths().numpy(), encoded.row_lengths().numpy()
        if wrong := np.flatnonzero(counts != tag_counts).tolist():
            raise InputError(f"Row {wrong[0]} has {counts[wrong[0]]} words and {tag_counts[wrong[0]]} tags.")
        return texts, encoded

    def __call__(self, texts: Any, length: int | None = None) -> dict:
        """Raw texts [N] or words [N, (words)] to the inputs of W windows; TensorFlow ops only."""
        return self._to_windows(texts, length, every_part=True)

    def inference_inputs(self, texts: tuple) -> dict:
        """As `__call__`; of a word in a list of words, only its first part is tagged."""
        return self._to_windows(texts, None, every_part=False)

    def _to_windows(self, texts: Any, length: int | None, every_part: bool) -> dict:
        (texts,) = texts if isinstance(texts, tuple) else (texts,)
        words = isinstance(texts, tf.RaggedTensor)
        if words:
            ids, starts = cut_words(self.tokenizer, texts)
            ends = starts + 1
        else:
            ids, starts, ends = self.tokenizer.with_offsets(texts)
        first = begins_of_words(starts) if words and not every_part else tf.gather(self._starts_word, ids.values)
        first = ids.with_values(first)
        inputs, cut = self.make_windows([], ids, length)
        width = tf.shape(inputs[features.INPUT_IDS])[1]
        mask = cut.max_context_mask() * tf.cast(cut.take(first), tf.int32)
        return inputs | {
            WORD_MASK: cut.place(mask, width),
            WORD_STARTS: cut.place(cut.take(starts), width),
            WORD_ENDS: cut.place(cut.take(decoding.ends_of_words(first, ends)), width),
        }

    def token_places(self, inputs: dict) -> dict:
        ids = inputs[features.INPUT_IDS]
        inside = tf.reduce_all(ids[..., tf.newaxis] != self.tokenizer.added_ids, -1) & (inputs[features.INPUT_MASK] > 0)
        first = inside & tf.gather(self._starts_word, ids)
        places = tf.range(tf.shape(ids)[1]) + tf.zeros_like(ids)
        alone = tf.RaggedTensor.from_tensor(first | ~inside)
        ends = decoding.ends_of_words(alone, tf.RaggedTensor.from_tensor(places + 1)).to_tensor()
        return {WORD_MASK: tf.cast(first, tf.int32), WORD_STARTS: places, WORD_ENDS: ends}

    def to_batch(self, texts: tuple, targets: tf.RaggedTensor) -> tuple:
        """Inputs, tags int32 [W, S] and weights float32 [W, S]; the weight is 1 where a window reads a tag."""
        inputs = self(texts)
        mask = inputs[WORD_MASK] > 0
        text = tf.gather(inputs[windows.WINDOW_TEXTS], tf.where(mask)[:, 0])
        words = tf.cast(tf.boolean_mask(inputs[WORD_STARTS], mask), tf.int64) + tf.gather(targets.row_starts(), text)
        tags = self._decoder.of_parts(targets.values, words)
        tags = tf.scatter_nd(tf.where(mask), tags, tf.shape(mask, tf.int64))
        return {name: inputs[name] for name in features.ENCODER_INPUTS}, tags, tf.cast(mask, tf.float32)
