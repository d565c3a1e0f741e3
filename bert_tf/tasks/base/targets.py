"""Converts the target columns of data files to the targets of a task."""

from collections.abc import Mapping, Sequence
from typing import Any

from bert_tf.core.errors import InputError

# `Examples` are those of data/readers/examples.py


class Targets:
    """Converts targets of data files; a task that takes them unchanged needs no subclass.

    Args:
        settings: settings of the model; those that the task does not use are ignored.
        separator: separates several labels in one cell.
    """

    needed = True  # whether examples without targets are refused; if False, targets are dropped

    def __init__(self, settings: Mapping[str, Any], separator: str = ","):
        self.settings, self.separator = settings, separator

    def find_labels(self, examples: Any) -> list[str] | None:
        """The labels that a model for these training `Examples` needs, sorted; None for a task without labels."""
        return None

    def convert(self, targets: Sequence[Any]) -> list[Any]:
        """Targets of a file in the form that `fit` takes; `settings` are those of a model."""
        return list(targets)


def fit_targets(examples: Any, model: Any, separator: str = ",") -> Any:
    """The `Examples` with targets in the form that `model` takes; missing targets raise `InputError`."""
    targets = model.SPEC.load("targets")(model.task_settings(), separator)
    if not targets.needed:
        return examples.with_targets(None)
    if examples.targets is None:
        raise InputError(f"{examples.path} has no target column. Set data.target to its name.")
    return examples.with_targets(targets.convert(examples.targets))


def require_classes(labels: list[str], path: str) -> list[str]:
    """The labels; fewer than two raise `InputError`, because there is nothing to tell apart."""
    if len(labels) < 2:
        found = f"one class only: {labels[0]!r}" if labels else "no class in any row"
        raise InputError(f"{path} has {found}. There is nothing to tell apart.")
    return labels
