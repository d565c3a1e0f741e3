"""Explains answers word by word, and measures which method of explaining tells the truth about a model."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.progress import stages
from bert_tf.evaluation.attribution import METHODS, ROLLOUT, Case, by_feature
from bert_tf.evaluation.confidence_intervals import intervals
from bert_tf.tasks.base.raw_inputs import decoded
from bert_tf.tasks.base.task import Task

# N texts, W words, P points of a curve

METHOD = "integrated_gradients"
RANDOM = "random"  # words in any order, which a method has to beat
CURVE_POINTS = 11  # shares of the words that are masked, 0 to 1


@dataclasses.dataclass(frozen=True)
class Explanation:
    """The attribution of each word of a text to the model's answer.

    Attributes:
        texts: the texts that the model read.
        explained: the label, or the answer, whose logit is explained.
        method: a name of `METHODS`.
        score, baseline: that logit, and what it is with all words masked.
        words: {"text": number of the text, "start", "end": characters in it, "word", "attribution"} of each word, in
            their order. The sum of integrated gradients is `score` - `baseline`.
        files: {name: rows and columns of attributions} of the features of each file (see `by_feature`).
        pictures: {name: contents} of these files, for a page.
    """

    texts: tuple[str, ...]
    explained: str
    method: str
    score: float
    baseline: float
    words: list[dict[str, Any]]
    files: dict[str, list[list[float]]] = dataclasses.field(default_factory=dict)
    pictures: dict[str, bytes] = dataclasses.field(default_factory=dict, repr=False)


def explain(
    model: Task,
    texts: Any,
    method: str = METHOD,
    label: str | None = None,
    comparison: "Comparison | None" = None,
) -> Iterator[Explanation]:
    """Explains the model's answer to each of N texts, one after the other.

    Args:
        model: for classification, also of files, tagging or question answering.
        texts: as `predict_text` takes them. Longer ones than a row are cut, which a logged line says.
        method: a name of `METHODS`.
        label: the label to explain; None: the one that the model gives.
        comparison: gets each text, so that methods are compared in the same pass.

    Raises:
        ConfigError: the method is unknown, or cannot explain this model.
        InputError: a text is no string or has no words, or the model lacks the label; names its row.
    """
    check_methods([method])
    columns = _columns(model, texts)
    for row, (texts_of_row, case) in enumerate(_cases(model, columns, label)):
        attributions = METHODS[method](case)  # [W]
        if comparison:
            comparison.add(case, {method: attributions})
        explanation = _explanation(case, texts_of_row, method, attributions)
        files = {name: values.tolist() for name, values in by_feature(case, method).items()}
        contents = dict(zip(model.TEXTS, columns, strict=False))
        yield dataclasses.replace(
            explanation, files=files, pictures={name: contents[name][row].numpy() for name in files}
        )


def check_methods(methods: Sequence[str]) -> None:
    """Raises `ConfigError` for a name that is not in `METHODS`."""
    for method in methods:
        if method not in METHODS:
            raise ConfigError(f"Received: method={method!r}. Choose from {', '.join(METHODS)}.")


def _columns(model: Task, texts: Any) -> tuple:
    """Encoded columns of whole texts, string tensors [N]."""
    columns = model.preprocessor.encode_texts(texts)
    if any(isinstance(column, tf.RaggedTensor) for column in columns):
        raise InputError("Received lists of words. Give whole texts: an explanation shows their words.")
    return columns


def _cases(model: Task, columns: tuple, label: str | None) -> Iterator[tuple[tuple[str, ...], Case]]:
    """The texts of each row and its `Case`."""
    cut = 0
    for row in range(int(columns[0].shape[0])):
        encoded = tuple(column[row : row + 1] for column in columns)
        try:
            case = Case(model, encoded, label)
        except InputError as error:
            raise InputError(f"Row {row}: {error}") from None
        cut += case.is_cut
        yield tuple(decoded(column[row].numpy()) for column in columns[: model.num_segments]), case
    if cut:
        logging.warning(
            "%d of the texts are cut to %d tokens: their last words are not explained.", cut, model.max_length
        )


def _explanation(case: Case, texts: tuple[str, ...], method: str, attributions: np.ndarray) -> Explanation:
    words = []
    for word, attribution in zip(case.words, attributions, strict=True):
        place = {"text": word.column, "start": word.start, "end": word.end}
        words.append(place | {"word": texts[word.column][word.start : word.end], "attribution": float(attribution)})
    return Explanation(texts, case.explained.name, method, case.score, case.baseline, words)


@dataclasses.dataclass(frozen=True)
class Faithfulness:
    """How much of an answer the words that methods call important carry, on N texts.

    Attributes:
        deletion: {method: float [N, P]}, how much the explained logit falls when the most important words are masked,
            from none to all of them: the steeper at its beginning, the better.
        insertion: {method: float [N, P]}, how much it rises above the masked row when they come first.
    """

    deletion: dict[str, np.ndarray]
    insertion: dict[str, np.ndarray]

    def areas(self) -> dict[str, dict[str, tuple[float, float, float]]]:
        """{"deletion", "insertion": {method: (mean area under the curve, low, high)}}, 95 % bootstrap intervals.

        Of each other method also "METHOD - random", and of those with a sign "METHOD - attention_rollout": the
        differences on the same texts.
        """
        found = {}
        for name, curves in (("deletion", self.deletion), ("insertion", self.insertion)):
            areas = {method: curve.mean(1) for method, curve in curves.items()}  # [N] each
            methods = [method for method in curves if method != RANDOM]
            pairs = [(method, RANDOM) for method in methods]
            if ROLLOUT in curves:
                pairs += [(method, ROLLOUT) for method in methods if method != ROLLOUT]
            areas |= {f"{method} - {other}": areas[method] - areas[other] for method, other in pairs}
            found[name] = _with_intervals(areas)
        return found


def _with_intervals(values: Mapping[str, np.ndarray]) -> dict[str, tuple[float, float, float]]:
    """{name: (mean, low, high)} of values [N]."""

    def mean_of(column: np.ndarray) -> Callable[[np.ndarray], float]:
        return lambda rows: float(column[rows].mean())

    count = len(next(iter(values.values())))
    bounds = intervals({name: mean_of(column) for name, column in values.items()}, count)
    return {name: (float(column.mean()), *bounds[name]) for name, column in values.items()}


class Comparison:
    """Curves of masking the words of texts in the order of each method, and in random order.

    Args:
        model: a task model.
        methods: names of `METHODS`; None: all that can explain the model.
        seed: of the random order.

    Raises:
        ConfigError: a method is unknown.
    """

    def __init__(self, model: Task, methods: Sequence[str] | None = None, seed: int = 0):
        if methods is None:
            methods = [name for name in METHODS if name != ROLLOUT or model.encoder.has_attention_probs]
        check_methods(methods)
        self._deletion: dict[str, list] = {name: [] for name in (*methods, RANDOM)}
        self._insertion: dict[str, list] = {name: [] for name in (*methods, RANDOM)}
        self._random = np.random.default_rng(seed)

    def add(self, case: Case, known: Mapping[str, np.ndarray] | None = None) -> None:
        """Adds the curves of one text; `known` are attributions [W] by method, which need not be computed again."""
        count = len(case.words)
        sizes = np.round(np.linspace(0, 1, CURVE_POINTS) * count).astype(int)
        values = {RANDOM: self._random.random(count), **(known or {})}
        for name, curves in self._deletion.items():
            found = values[name] if name in values else METHODS[name](case)
            order = np.argsort(-found, kind="stable")
            rows = [case.without(order[:size]) for size in sizes] + [case.without(order[size:]) for size in sizes]
            scores = case.scores_of(np.stack(rows))
            curves.append(case.score - scores[:CURVE_POINTS])
            self._insertion[name].append(scores[CURVE_POINTS:] - case.baseline)

    def result(self) -> Faithfulness:
        """The curves of all texts; `InputError` without any."""
        if not self._deletion[RANDOM]:
            raise InputError("Received no texts.")
        deletion, insertion = (
            {name: np.array(rows) for name, rows in curves.items()} for curves in (self._deletion, self._insertion)
        )
        return Faithfulness(deletion, insertion)


def faithfulness(
    model: Task, texts: Any, methods: Sequence[str] | None = None, label: str | None = None, seed: int = 0
) -> Faithfulness:
    """Masks the words of N texts in the order of each method, and in random order.

    Arguments and errors as for `explain` and `Comparison`.
    """
    comparison = Comparison(model, methods, seed)
    columns = _columns(model, texts)
    with stages() as show:
        for number, (_, case) in enumerate(_cases(model, columns, label)):
            show("comparing methods", number, int(columns[0].shape[0]))
            comparison.add(case)
    return comparison.result()
