"""How a model's score and answers change with noise in the texts, and with changes that should not matter."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bert_tf.evaluation.confidence_intervals import intervals
from bert_tf.evaluation.results import EvaluationResult
from bert_tf.tasks import TASKS
from bert_tf.tasks.base.changed_texts import Change, changed_texts, noise_of
from bert_tf.text.counterfactuals import COUNTERFACTUALS
from bert_tf.text.noise import NOISES

# N examples

DOSES = (0.1, 0.2, 0.5)  # shares of the words, or characters, that a noise can change
_LEAST = 0.02  # share of the examples that a change must reach to be measured


@dataclasses.dataclass(frozen=True)
class Reaction:
    """What a change of the texts does to a model.

    Attributes:
        name: of the noise, a key of `NOISES`, or of the change, a key of `COUNTERFACTUALS`.
        dose: share of the words that a noise can change; 0 for other changes.
        rows: number of examples whose texts the change reaches.
        changed: share of these with another answer; None where answers are numbers.
        score: of all examples; None where a right answer may be another one after the change.
        interval: of the score, 95 %.
    """

    name: str
    dose: float
    rows: int
    changed: float | None
    score: float | None
    interval: tuple[float, float] | None


def measure_noise(
    model: Any, examples: Any, plain: EvaluationResult, doses: Sequence[float] = DOSES, seed: int = 0
) -> Iterator[Reaction]:
    """Yields a `Reaction` for each noise that fits the texts, and each dose.

    Args:
        model: a task model.
        examples: checked `Examples` with targets.
        plain: the result of the model on them.
        doses: shares of the words that are changed.
        seed: of the noise.
    """
    for kind in NOISES:
        if model.PER_TOKEN and not NOISES[kind].keeps_words:
            continue
        for dose in doses:
            found = _react(model, examples, plain, noise_of({kind: dose}, model), seed)
            if found is None:
                break
            yield Reaction(kind, dose, *found)


def measure_counterfactuals(model: Any, examples: Any, plain: EvaluationResult, seed: int = 0) -> Iterator[Reaction]:
    """Yields a `Reaction` for each change of `COUNTERFACTUALS` that fits the texts; for texts that are strings."""
    if model.PER_TOKEN:
        return
    for name, (change, keeps_answer) in COUNTERFACTUALS.items():
        found = _react(model, examples, plain, change, seed)
        if found is not None:
            rows, changed, score, interval = found
            yield Reaction(name, 0.0, rows, changed, *((score, interval) if keeps_answer else (None, None)))


def _react(model: Any, examples: Any, plain: EvaluationResult, change: Change, seed: int) -> tuple | None:
    """(rows, changed, score, interval) of a `Reaction`; None where too few examples are changed."""
    texts = changed_texts(examples.texts, model, change, seed)
    reached = np.zeros(len(examples), bool)  # [N]
    for before, after in zip(examples.texts, texts, strict=True):
        reached |= np.array([old != new for old, new in zip(before, after, strict=True)])
    if reached.mean() < _LEAST:
        return None
    result = TASKS[model.TASK].load("analyze")(model, dataclasses.replace(examples, texts=texts))
    changed = None
    if len(result.answers) == len(examples) == len(plain.answers):
        others = np.array([one != other for one, other in zip(result.answers, plain.answers, strict=True)])
        changed = float(others[reached].mean())
    interval = None
    if metric := result.metric_functions.get(model.SCORE):
        interval = intervals({model.SCORE: metric}, len(examples))[model.SCORE]
    return int(reached.sum()), changed, result.scores[model.SCORE], interval
