"""Membership inference: whether a model's loss tells the examples that it was trained on from others."""

import dataclasses
from typing import Any

import numpy as np

from bert_tf.core.errors import InputError
from bert_tf.evaluation.confidence_intervals import intervals
from bert_tf.tasks.base.example_losses import measure_losses

# N examples, of both kinds, M of them members (trained on)

_MOST = 5000  # examples of a kind that are compared
_LEAST = 20
_FALSE_RATE = 0.01  # of others that an attack may take for members
_POINTS = 61  # of the ROC curve that are kept
_TINY = 1e-7


@dataclasses.dataclass(frozen=True)
class MembershipAttack:
    """How well an attack tells members from others.

    Attributes:
        name: "loss": a low loss means a member (Yeom et al. 2018). "likelihood": the ratio of the likelihoods of the
            loss under two normal distributions, that of members and that of others, fitted on the other half of the
            examples and for each class (the test of Carlini et al. 2022, without shadow models).
        auc: area under the ROC curve; 0.5 is guessing.
        interval: of the area, 95 %.
        found: share of the members that it finds if it takes 1 % of the others for members.
        curve: points of the ROC curve: shares of others taken for members, and of members found.
    """

    name: str
    auc: float
    interval: tuple[float, float]
    found: float
    curve: list[tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Leakage:
    """Results of membership inference from the losses of examples.

    Attributes:
        members, others: numbers of examples of both kinds.
        member_loss, other_loss: their mean losses.
        attacks: each `MembershipAttack`.
    """

    members: int
    others: int
    member_loss: float
    other_loss: float
    attacks: list[MembershipAttack]


def measure_leakage(model: Any, members: Any, others: Any, seed: int = 0) -> Leakage:
    """Attacks a task model with examples that it was trained on and others of the same kind.

    Args:
        model: a task model.
        members, others: checked `Examples` with targets; of more than 5,000 a sample is taken. They have to be drawn
            alike, or the attack finds the difference of the two and not what the model remembers.
        seed: of the samples and halves.

    Raises:
        InputError: there are fewer than 20 of one kind.
    """
    random = np.random.default_rng(seed)
    losses, classes = [], []
    for name, examples in (("trained on", members), ("held out", others)):
        if len(examples) < _LEAST:
            raise InputError(f"Received {len(examples)} examples {name}. Give at least {_LEAST} for leakage.")
        chosen = examples.take(np.sort(random.permutation(len(examples))[:_MOST]).tolist())
        losses.append(measure_losses(model, chosen.texts, chosen.targets))
        classes.append(_classes(model, chosen.targets, len(losses[-1])))
    is_member = np.repeat([True, False], list(map(len, losses)))  # [N]
    joined = np.concatenate(losses).astype("float64")
    scores = {
        "loss": -joined,
        "likelihood": likelihood_ratios(confidences(joined), is_member, np.concatenate(classes), random),
    }
    attacks = [_attack(name, values, is_member) for name, values in scores.items()]
    of_members, of_others = losses
    return Leakage(len(of_members), len(of_others), float(of_members.mean()), float(of_others.mean()), attacks)


def confidences(losses: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)) of the likelihoods p = exp(-loss), which is closer to normal than the loss: float64 [N]."""
    likelihood = np.clip(np.exp(-losses), _TINY, 1 - _TINY)
    return np.log(likelihood) - np.log1p(-likelihood)


def likelihood_ratios(
    values: np.ndarray, is_member: np.ndarray, classes: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """The logarithm of the ratio of two normal densities, fitted on the half of the examples that it is not for.

    Args:
        values: float64 [N].
        is_member: bool [N].
        classes: int [N]; each class has densities of its own, where both kinds have 20 examples of it in the half.
        random: cuts the halves.
    """
    half = np.zeros(len(values), bool)
    for kind in (True, False):  # half of each kind
        rows = random.permutation(np.flatnonzero(is_member == kind))
        half[rows[: len(rows) // 2]] = True
    ratios = np.zeros(len(values))
    for scored in (True, False):
        for number in np.unique(classes):
            of_class = classes == number
            fitted = (half != scored) & of_class
            if min(is_member[fitted].sum(), (~is_member[fitted]).sum()) < _LEAST:
                fitted = half != scored
            rows = (half == scored) & of_class
            inside = _log_density(values[rows], values[fitted & is_member])
            ratios[rows] = inside - _log_density(values[rows], values[fitted & ~is_member])
    return ratios


def roc_curve(scores: np.ndarray, is_member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of others and of members above each threshold, rising from 0 to 1: float [N + 1] each."""
    order = np.argsort(-scores, kind="stable")
    found, false = np.cumsum(is_member[order]), np.cumsum(~is_member[order])
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # of equal scores the last
    return np.concatenate([[0], false[ends] / false[-1]]), np.concatenate([[0], found[ends] / found[-1]])


def area(scores: np.ndarray, is_member: np.ndarray) -> float:
    """The area under the ROC curve: the probability that a member scores higher than another example."""
    false, found = roc_curve(scores, is_member)
    return float(np.trapezoid(found, false))


def _attack(name: str, scores: np.ndarray, is_member: np.ndarray) -> MembershipAttack:
    def resampled(numbers: np.ndarray) -> float:
        return area(scores[numbers], is_member[numbers])

    false, found = roc_curve(scores, is_member)
    interval = intervals({name: resampled}, len(scores))[name]

    def found_at(rate: float) -> float:
        return float(found[false <= rate].max())

    curve = [(float(rate), found_at(rate)) for rate in np.geomspace(1e-3, 1, _POINTS)]
    return MembershipAttack(name, area(scores, is_member), interval, found_at(_FALSE_RATE), curve)


def _classes(model: Any, targets: Any, count: int) -> np.ndarray:
    """The class of each example, int [N]; 0 where there are no classes, or windows take the place of examples."""
    encoded = model.preprocessor.encode_targets(targets)
    if isinstance(encoded, np.ndarray) and encoded.dtype.kind == "i" and encoded.shape == (count,):
        return encoded
    return np.zeros(count, int)


def _log_density(values: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """The logarithm of the normal density that fits a sample, up to a constant."""
    deviation = max(float(sample.std()), 1e-3)
    return -0.5 * np.square((values - sample.mean()) / deviation) - np.log(deviation)
