"""Raw texts or lists of words, and tags, to windows for a tagger."""

from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.tasks.base import windows
from bert_tf.tasks.base.batching import select
from bert_tf.tasks.base.labels import LabelIndex
from bert_tf.tasks.base.raw_inputs import as_columns, as_list, count, decoded
from bert_tf.tasks.base.windowed_task import WindowedPreprocessor
from bert_tf.tasks.tagging import decoding, schemes
from bert_tf.tasks.tagging.pretokenized import as_words, begins_of_words, cut_words, is_words

# N texts, W windows, S positions of a row

# Inputs in addition to the encoder's, each int32 [W, S].
WORD_MASK = "word_mask"  # 1 at the first token of each word whose tag is read from this window
WORD_STARTS = "word_starts"  # the word's first character in its text, or its number where words are given
WORD_ENDS = "word_ends"  # the character after its last, or the number of the next word


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
        self._index = LabelIndex(labels)
        self._starts_word = tf.constant(tokenizer.starts_word)

    def encode_texts(self, texts: Any, training: bool = False) -> tuple:
        """Raw texts as a string tensor [N], or lists of words as a ragged one [N, (words)], in a tuple of one.

        Raises:
            InputError: an item is not a string, or a list of words to train on is empty; names its row.
        """
        columns = as_columns(texts, self.spec.texts)
        if len(columns) != 1:
            raise InputError(f"Received a tuple of {len(columns)} texts. Give a list of texts, or of lists of words.")
        if is_words(columns[0]):
            return (as_words(columns[0], allow_empty=not training),)
        return super().encode_texts(columns)

    def encode_targets(self, targets: Any) -> tf.RaggedTensor:
        """Lists of tags, in any scheme, as numbers of the model's tags: int32 ragged [N, (words)].

        Raises:
            InputError: the model does not have a tag; names its row and word.
        """
        number = {label: i for i, label in enumerate(self._labels)}
        numbers: list[int] = []
        lengths = []
        for row, sentence in enumerate(self.tag_names(targets)):
            tags = self._in_scheme(row, sentence)
            numbers += map(number.__getitem__, tags)
            lengths.append(len(tags))
        return tf.RaggedTensor.from_row_lengths(np.array(numbers, "int32"), lengths)

    def tag_names(self, targets: Any) -> list[list]:
        """Lists of tags in any form, names or numbers (`LabelIndex`), as lists of names; unknown tags unchanged.

        Raises:
            InputError: the tags of a sentence are not a list; names its row.
        """
        sentences = as_list(targets)
        for row, sentence in enumerate(sentences):
            if not isinstance(sentence, list):
                raise InputError(f"Row {row} has the tags {sentence!r}. Give a list with a tag for each word.")
            sentences[row] = list(map(self._name, sentence))
        return sentences

    def _name(self, tag: Any) -> Any:
        tag = decoded(tag)
        if tag in self._index:
            return self._labels[self._index.number(tag, 0)]
        return tag.strip() if isinstance(tag, str) else tag

    def _in_scheme(self, row: int, sentence: list) -> list:
        """The tags of a sentence in the model's scheme; an unknown one raises `InputError`."""
        converted = sentence
        # A tag of no scheme cannot be converted; the loop names it.
        if self._scheme is None or all(isinstance(tag, str) and schemes.spells_entities(tag) for tag in sentence):
            converted = schemes.convert(sentence, self._scheme)
        for place, tag in enumerate(converted):
            if tag not in self._labels:
                raise InputError(
                    f"Row {row}, word {place}: the tag is {sentence[place]!r}. "
                    f"The model's tags: {', '.join(self._labels[:20])}."
                )
        return converted

    def encode_examples(self, texts: Any, targets: Any) -> tuple:
        """(words, tags) of N sentences given as lists of words, ragged [N, (words)] each.

        Raises:
            InputError: the texts are raw, or a sentence has not one tag for each word, or an unknown one.
        """
        columns = as_columns(texts, self.spec.texts)
        if not count(columns[0]):
            raise InputError("Received no sentences. Give each as a list of words, with a list of tags.")
        if not is_words(columns[0]):
            raise InputError("Received raw texts with tags. Give each sentence as a list of words, a tag for each.")
        texts, encoded = super().encode_examples(columns, targets)
        counts, tag_counts = texts[0].row_lengths().numpy(), encoded.row_lengths().numpy()
        if wrong := np.flatnonzero(counts != tag_counts).tolist():
            raise InputError(f"Row {wrong[0]} has {counts[wrong[0]]} words and {tag_counts[wrong[0]]} tags.")
        return texts, encoded

    def blank_targets(self, texts: tuple) -> tf.RaggedTensor:
        """The first tag for every word, int32 ragged [N, (words)]; raw texts raise `InputError`."""
        words = _only(texts)
        if not isinstance(words, tf.RaggedTensor):
            raise InputError("Received raw texts. Give each sentence as a list of words.")
        return words.with_values(tf.zeros(tf.shape(words.values), tf.int32))

    def __call__(self, texts: Any, length: int | None = None) -> dict:
        """Raw texts, string [N], or words, string [N, (words)], to the inputs of W windows; TensorFlow ops only.

        Beside the encoder's inputs they have "word_mask", "word_starts" and "word_ends", int32 [W, S].
        """
        return self._to_windows(texts, length, every_part=True)

    def inference_inputs(self, texts: tuple) -> dict:
        """As `__call__`; for lists of words, only the first part of each word is tagged."""
        return self._to_windows(texts, None, every_part=False)

    def _to_windows(self, texts: Any, length: int | None, every_part: bool) -> dict:
        texts = _only(texts)
        words = isinstance(texts, tf.RaggedTensor)
        if words:
            ids, starts = cut_words(self.tokenizer, texts)
            ends = starts + 1
        else:
            ids, starts, ends = self.tokenizer.with_offsets(texts)
        begins = begins_of_words(starts) if words and not every_part else tf.gather(self._starts_word, ids.values)
        first = ids.with_values(begins)  # bool ragged [N, (tokens)]
        inputs, cut = self.make_windows([], ids, length)
        width = tf.shape(inputs[features.INPUT_IDS])[1]
        mask = cut.max_context_mask() * tf.cast(cut.take(first), tf.int32)
        return inputs | {
            WORD_MASK: cut.place(mask, width),
            WORD_STARTS: cut.place(cut.take(starts), width),
            WORD_ENDS: cut.place(cut.take(decoding.ends_of_words(first, ends)), width),
        }

    def token_places(self, inputs: dict) -> dict:
        """The words of rows of tokens; places are counted in tokens of the row, int32 [W, S] each."""
        ids = inputs[features.INPUT_IDS]
        inside = tf.reduce_all(ids[..., tf.newaxis] != self.tokenizer.added_ids, -1) & (inputs[features.INPUT_MASK] > 0)
        first = inside & tf.gather(self._starts_word, ids)
        places = tf.range(tf.shape(ids)[1]) + tf.zeros_like(ids)
        # Special tokens count as words of their own, so that no word extends over them.
        alone = tf.RaggedTensor.from_tensor(first | ~inside)
        ends = decoding.ends_of_words(alone, tf.RaggedTensor.from_tensor(places + 1)).to_tensor()
        return {WORD_MASK: tf.cast(first, tf.int32), WORD_STARTS: places, WORD_ENDS: ends}

    def to_batch(self, texts: tuple, targets: tf.RaggedTensor, weights: Any = None) -> tuple:
        """(inputs, tags int32 [W, S], weights float32 [W, S]); the weight of a token is 0, or that of its text.

        It is 0 unless the token's tag is read from the window.
        """
        inputs = self(texts)
        mask = inputs[WORD_MASK] > 0
        # The numbers over all sentences of the words that are tagged, in the order of the windows.
        text = tf.gather(inputs[windows.WINDOW_TEXTS], tf.where(mask)[:, 0])
        words = tf.cast(tf.boolean_mask(inputs[WORD_STARTS], mask), tf.int64) + tf.gather(targets.row_starts(), text)
        tags = self._decoder.of_parts(targets.values, words)
        tags = tf.scatter_nd(tf.where(mask), tags, tf.shape(mask, tf.int64))
        shares = tf.cast(mask, tf.float32)  # [W, S]
        if weights is not None:
            shares *= tf.gather(weights, inputs[windows.WINDOW_TEXTS])[:, tf.newaxis]
        return select(inputs, features.ENCODER_INPUTS), tags, shares


def _only(texts: Any) -> Any:
    """The one column of texts, alone or in a tuple."""
    (column,) = as_columns(texts)
    return column
