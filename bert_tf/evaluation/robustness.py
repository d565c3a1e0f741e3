"""How a model's score and answers change with noise in the texts, and with changes that should not matter."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bert_tf.evaluation.confidence_intervals import intervals
from bert_tf.evaluation.results import EvaluationResult
from bert_tf.tasks.base.changed_texts import Change, changed_texts, noise_of
from bert_tf.text.counterfactuals import COUNTERFACTUALS
from bert_tf.text.noise import NOISES

# N examples

DOSES = (0.1, 0.2, 0.5)  # shares of the words, or characters, that a noise can change
_LEAST = 0.02  # share of the examples that a change must reach to be measured


@dataclasses.dataclass(frozen=True)
class Reaction:
    """The effect of a change of the texts on a model.

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
        model: a task model with a metric of parts of its examples.
        examples: checked `Examples` with targets.
        plain: the result of the model on them.
        doses: shares of the words that are changed.
        seed: of the noise.
    """
    for kind in NOISES:
        for dose in doses:
            found = _react(kind, dose, model, examples, plain, noise_of({kind: dose}, model), seed)
            if found is None:
                break
            yield found


def measure_counterfactuals(model: Any, examples: Any, plain: EvaluationResult, seed: int = 0) -> Iterator[Reaction]:
    """Yields a `Reaction` for each change of `COUNTERFACTUALS` that fits the texts; for texts that are strings."""
    if model.PER_TOKEN:
        return
    for name, (change, keeps_answer) in COUNTERFACTUALS.items():
        found = _react(name, 0.0, model, examples, plain, change, seed)
        if found is not None:
            yield found if keeps_answer else dataclasses.replace(found, score=None, interval=None)


def _react(
    name: str, dose: float, model: Any, examples: Any, plain: EvaluationResult, change: Change, seed: int
) -> Reaction | None:
    """The `Reaction` to a change; None where it reaches too few examples."""
    texts = changed_texts(examples.texts, model, change, seed)
    reached = np.zeros(len(examples), bool)  # [N]
    for before, after in zip(examples.texts, texts, strict=True):
        reached |= np.array([old != new for old, new in zip(before, after, strict=True)])
    if reached.mean() < _LEAST:
        return None
    result = model.SPEC.load("analyze")(model, dataclasses.replace(examples, texts=texts))
    changed = None
    if len(result.answers) == len(examples) == len(plain.answers):
        others = np.array([one != other for one, other in zip(result.answers, plain.answers, strict=True)])
        changed = float(others[reached].mean())
    interval = intervals({name: result.metric_functions[model.SCORE]}, len(examples))[name]
    return Reaction(name, dose, int(reached.sum()), changed, result.scores[model.SCORE], interval)
