"""Classes, labels and scores in data files."""

from collections.abc import Sequence
from typing import Any

from bert_tf.tasks.base.targets import Targets, require_classes


class ClassificationTargets(Targets):
    """One class, several labels separated in one cell or in a list, or a score, as `problem_type` says."""

    @property
    def _problem_type(self) -> str:
        return self.settings.get("problem_type") or "single_label_classification"

    def find_labels(self, examples: Any) -> list[str] | None:
        """All classes or labels that occur; None for scores. One class alone raises `InputError`."""
        if self._problem_type == "regression":
            return None
        if self._problem_type == "multi_label_classification":
            return sorted(set().union(*map(self._split, examples.targets)))
        return require_classes(sorted(set(map(str, examples.targets))), examples.path)

    def convert(self, targets: Sequence[Any]) -> list[Any]:
        """Names of the model's labels; numbers of labels where the file has numbers and the model has names."""
        if self._problem_type == "regression":
            return list(targets)
        if self._problem_type == "multi_label_classification":
            return [list(map(self._label, self._split(target))) for target in targets]
        return list(map(self._label, targets))

    def _label(self, target: Any) -> str | int:
        name = str(target)
        return int(name) if name not in self.settings["labels"] and name.isdecimal() else name

    def _split(self, target: Any) -> list[str]:
        """The labels in a cell, or in a list, without empty ones."""
        labels = target.split(self.separator) if isinstance(target, str) else target
        names = (str(label).strip() for label in labels)
        return list(filter(None, names))
