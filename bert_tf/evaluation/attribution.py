"""How much each word of a text adds to a number that a model computes: attribution methods."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.layer_changes import calls_replaced
from bert_tf.tasks.base.explained import explained_of
from bert_tf.tasks.base.modalities import count_features
from bert_tf.tasks.base.multimodal_task import MultimodalTask
from bert_tf.tasks.base.preprocessor import Preprocessor
from bert_tf.tasks.base.task import Task

# K rows, S tokens, E embedding, H heads, W words

_POINTS = (16, 32, 64, 128, 256)  # of the integral; more are taken until it is exact enough
_EXACT = 0.005  # largest error of the integral, relative to its value
_CHUNK_TOKENS = 4096  # that go through the model at once


class Word(NamedTuple):
    """A word: its text's number, its characters `text[start:end]`, and the positions of its tokens in the row."""

    column: int
    start: int
    end: int
    positions: tuple[int, ...]


class Case:
    """One text, or one pair of texts, as a row of the model, and the number that is explained.

    Attributes:
        words: `Word`s that the row has; those beyond its length are cut.
        is_cut: whether the row has not all tokens of the texts.
        explained: the `Explained`.
        score, baseline: its number for the row, and for the row with all words masked.

    Args:
        model: a task model.
        texts: encoded texts, string tensors [1], and contents of files after them.
        label: the label to explain; None: what the model answers.

    Raises:
        ConfigError: the task has nothing to explain, or Keras runs on another backend than TensorFlow.
        InputError: the model lacks the label, or the text has no words.
    """

    def __init__(self, model: Task, texts: tuple, label: str | None = None):
        if keras.backend.backend() != "tensorflow":
            raise ConfigError(f"Explanations need Keras on TensorFlow; it runs on {keras.backend.backend()}.")
        self.model = model
        tokenizer = model.tokenizer
        self.files = model.files.parts if isinstance(model, MultimodalTask) else []
        texts, contents = texts[: model.num_segments], texts[model.num_segments :]
        spec = dataclasses.replace(model.SPEC, texts=model.TEXTS[: model.num_segments], files=())
        words = Preprocessor(spec, tokenizer, model.max_length)
        self.inputs = words(texts)  # int32 [1, S]
        if self.files:
            self.inputs |= model.files.decode(contents)
        self.ids = self.inputs[features.INPUT_IDS][0].numpy()  # [S]
        places = find_places(tokenizer, [text[0] for text in texts])
        self.words = find_words(tokenizer, places, self.ids)
        if not self.words:
            raise InputError("The text has no words.")
        self.of_words = np.zeros(len(self.ids), bool)  # [S]
        for word in self.words:
            self.of_words[list(word.positions)] = True
        self.is_cut = self.of_words.sum() < sum(len(starts) for starts, _ in places)
        blank = next(i for i in (tokenizer.mask_id, tokenizer.unk_id, tokenizer.pad_id) if i is not None)
        self.masked_ids = np.where(self.of_words, blank, self.ids)
        outputs = model(self.inputs, training=False)
        self.explained = explained_of(model, self.inputs, outputs, label)
        self.score = float(self.explained.score(outputs)[0])
        self.baseline = float(self.scores_of(self.masked_ids[np.newaxis])[0])

    def vectors_of(self, ids: np.ndarray) -> tf.Tensor:
        """The token embeddings of ids [S]: float32 [S, E]."""
        return tf.cast(self.model.encoder.token_embedding(tf.constant(ids, tf.int32)), tf.float32)

    def scores_of(self, ids: np.ndarray) -> np.ndarray:
        """The number for rows of other ids, int [K, S]: float32 [K]."""
        scores = []
        for part in _chunks(ids):
            rows = self._rows(len(part)) | {features.INPUT_IDS: tf.constant(part, tf.int32)}
            scores.append(self.explained.score(self.model(rows, training=False)).numpy())
        return np.concatenate(scores)

    def gradients_at(self, vectors: tf.Tensor) -> np.ndarray:
        """Gradients of the number at other token embeddings, float32 [K, S, E]: the same shape."""
        found, layer = [], self.model.encoder.token_embedding
        for part in _chunks(vectors):
            with tf.GradientTape() as tape:
                tape.watch(part)
                with calls_replaced({layer: lambda ids, part=part: tf.cast(part, layer.compute_dtype)}):
                    score = tf.reduce_sum(self.explained.score(self.model(self._rows(len(part)), training=False)))
            found.append(tape.gradient(score, part).numpy())
        return np.concatenate(found)

    def without(self, words: Any) -> np.ndarray:
        """The row's ids with the words of these numbers masked, [S]."""
        ids = self.ids.copy()
        for number in words:
            positions = list(self.words[number].positions)
            ids[positions] = self.masked_ids[positions]
        return ids

    @property
    def encoder_inputs(self) -> dict[str, tf.Tensor]:
        """The row as the encoder takes it."""
        if not self.files:
            return self.inputs
        words = {name: self.inputs[name] for name in features.ENCODER_INPUTS}
        return words | self.model.file_features(self.inputs)

    def scores_without_features(self, part: Any) -> np.ndarray:
        """The number for the row without one feature of a file, for each feature that it has; float32 [T]."""
        name = f"{part.name}_mask"
        mask = self.inputs[name]  # [1, T]
        scores = []
        for hidden in _chunks(np.eye(mask.shape[1], dtype="int32")):
            rows = self._rows(len(hidden)) | {name: mask * (1 - hidden)}
            scores.append(self.explained.score(self.model(rows, training=False)).numpy())
        return np.concatenate(scores)

    def by_word(self, tokens: np.ndarray) -> np.ndarray:
        """The sums of values of tokens, [S], over the tokens of each word: [W]."""
        return np.array([tokens[list(word.positions)].sum() for word in self.words])

    def _rows(self, count: int) -> dict[str, tf.Tensor]:
        return {name: tf.repeat(value, count, 0) for name, value in self.inputs.items()}


def find_places(tokenizer: Any, texts: Sequence[Any]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The first characters of the tokens of each text, and those after their last ones: int [tokens] each."""
    places = []
    for text in texts:
        _, starts, ends = tokenizer.with_offsets(text)
        places.append((starts.numpy(), ends.numpy()))
    return places


def find_words(tokenizer: Any, places: Sequence[tuple[np.ndarray, np.ndarray]], ids: np.ndarray) -> list[Word]:
    """The words of a row with ids [S]; `places` are the starts and ends of the tokens of each text, int [tokens]."""
    added = np.isin(ids, tokenizer.added_ids)
    changes = np.flatnonzero(np.diff(np.concatenate([[True], added, [True]]).astype(int)))
    runs = list(zip(changes[::2], changes[1::2], strict=True))  # of tokens between added ones: one for each text
    columns = [column for column, (starts, _) in enumerate(places) if len(starts)]
    words = []
    for column, (first, end) in zip(columns, runs, strict=False):
        starts, ends = places[column]
        begins = [k == 0 or bool(tokenizer.starts_word[ids[first + k]]) for k in range(end - first)]
        edges = [*np.flatnonzero(begins), end - first]
        for k, after in zip(edges, edges[1:], strict=False):
            positions = tuple(range(first + k, first + after))
            words.append(Word(column, int(starts[k]), int(ends[after - 1]), positions))
    return words


def _chunks(rows: Any) -> Iterator[Any]:
    """Rows [K, S, ...] in parts that are small enough for the model."""
    size = max(1, _CHUNK_TOKENS // rows.shape[1])
    for first in range(0, rows.shape[0], size):
        yield rows[first : first + size]


# Methods: a `Case` to the attribution of each word, float [W].


def integrated_gradients(case: Case) -> np.ndarray:
    """Gradients along the way from the masked row to the row (Sundararajan et al. 2017).

    Their sum is the difference of the two numbers. The integral is Gauss and Legendre's, of as many points as it needs.
    """
    total = case.score - case.baseline
    for points in _POINTS:
        places, weights = np.polynomial.legendre.leggauss(points)  # in -1 to 1
        found = _gradients_on_the_way(case, (places + 1) / 2, weights / 2)
        if abs(found.sum() - total) <= _EXACT * abs(total):
            break
    return found


def gradient_x_input(case: Case) -> np.ndarray:
    """The gradient at the row, times the difference of each token's vector from that of the masked row."""
    return _gradients_on_the_way(case, np.ones(1), np.ones(1))


def _gradients_on_the_way(case: Case, places: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted sum of gradients, times the way from the masked row, place 0, to the row, place 1."""
    begin, end = case.vectors_of(case.masked_ids), case.vectors_of(case.ids)  # [S, E]
    shares = tf.constant(places, tf.float32)[:, tf.newaxis, tf.newaxis]
    gradients = case.gradients_at(begin + shares * (end - begin))  # [K, S, E]
    mean = np.einsum("k,kse->se", weights, gradients)
    return case.by_word(((end - begin).numpy() * mean).sum(-1))


def leave_one_out(case: Case) -> np.ndarray:
    """How much lower the number is with one word masked."""
    rows = np.stack([case.without([number]) for number in range(len(case.words))])
    return case.score - case.scores_of(rows)


def attention_rollout(case: Case) -> np.ndarray:
    """Attention followed through all layers, residual connections counted as half (Abnar and Zuidema 2020).

    It has no sign, and is of the tokens that the number is computed from. An encoder without attention raises
    `ConfigError`.
    """
    encoder = case.model.encoder
    if not encoder.has_attention_probs:
        raise ConfigError(f"The encoder {case.model.family} has no attention to follow. Choose another method.")
    return case.by_word(_rollout(case))


def _rollout(case: Case) -> np.ndarray:
    """The attention, through all layers, to each token and then to each feature of files: [S + T]."""
    outputs = case.model.encoder(case.encoder_inputs, training=False, all_outputs=True)
    layers = outputs["attention_probs"]  # of [1, H, S + T, S + T]
    flow = np.eye(int(layers[0].shape[-1]))
    for heads in layers:
        shares = tf.reduce_mean(tf.cast(heads[0], tf.float32), 0).numpy()  # [S + T, S + T]
        flow = (shares + np.eye(len(shares))) / 2 @ flow
    return flow[list(case.explained.positions)].mean(0)


def by_feature(case: Case, method: str) -> dict[str, np.ndarray]:
    """{file: attribution of each feature, float [rows, columns]} of the files that a row has.

    By attention rollout it is the attention; by every other method how much lower the number is without the feature.
    """
    found, first = {}, len(case.ids)
    flow = _rollout(case) if case.files and method == ROLLOUT else None
    for part in case.files:
        count = count_features(part)
        if tf.reduce_any(case.inputs[f"{part.name}_mask"] > 0):
            values = case.score - case.scores_without_features(part) if flow is None else flow[first : first + count]
            found[part.name] = np.reshape(values, part.grid)
        first += count
    return found


ROLLOUT = "attention_rollout"  # the one that not every encoder has
METHODS: dict[str, Callable[[Case], np.ndarray]] = {
    "integrated_gradients": integrated_gradients,
    "gradient_x_input": gradient_x_input,
    "leave_one_out": leave_one_out,
    ROLLOUT: attention_rollout,
}
