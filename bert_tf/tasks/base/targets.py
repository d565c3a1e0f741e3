"""Converts the target columns of data files to the targets of a task."""

from collections.abc import Mapping, Sequence
from typing import Any

from bert_tf.core.errors import InputError

# `Examples` are those of data/readers/examples.py


class Targets:
    """Targets as data files have them; a task whose targets are taken as they are needs no subclass.

    Args:
        settings: of the model; those that a task does not look at are ignored.
        separator: between several labels in one cell.
    """

    needed = True  # whether examples without targets are refused; where it is False, targets are left out

    def __init__(self, settings: Mapping[str, Any], separator: str = ","):
        self.settings, self.separator = settings, separator

    def find_labels(self, examples: Any) -> list[str] | None:
        """The labels that a model for these training `Examples` needs, sorted; None for a task without labels."""
        return None

    def convert(self, targets: Sequence[Any]) -> list[Any]:
        """Targets of a file as `fit` takes them; `settings` are those of a model."""
        return list(targets)


def fit_targets(examples: Any, model: Any, separator: str = ",") -> Any:
    """The same `Examples` with targets as `model` takes them; `InputError` where targets are missing."""
    targets = model.SPEC.load("targets")(model.task_settings(), separator)
    if not targets.needed:
        return examples.with_targets(None)
    if examples.targets is None:
        raise InputError(f"{examples.path} has no target column. Set data.target to its name.")
    return examples.with_targets(targets.convert(examples.targets))


def require_classes(labels: list[str], path: str) -> list[str]:
    """The labels; fewer than two raise `InputError`, because there is nothing to tell apart."""
    if len(labels) < 2:
        raise InputError(f"{path} has one class only: {labels[0]!r}. There is nothing to tell apart.")
    return labels
