"""Classes, labels and scores in data files."""

from collections.abc import Sequence
from typing import Any

from bert_tf.core.errors import InputError
from bert_tf.tasks.base.labels import LabelIndex, name_in_cell
from bert_tf.tasks.base.targets import Targets, require_classes


class ClassificationTargets(Targets):
    """One class, several labels separated in one cell or in a list, or a score, as `problem_type` says."""

    @property
    def _problem_type(self) -> str:
        return self.settings.get("problem_type") or "single_label_classification"

    def find_labels(self, examples: Any) -> list[str] | None:
        """All classes or labels that occur, without those of empty cells; None for scores.

        Raises:
            InputError: there is one class alone, or the cells have 0 and 1 for labels that they do not name.
        """
        if self._problem_type == "regression":
            return None
        if self._problem_type == "multi_label_classification":
            return self._find_several(examples)
        return require_classes(sorted(set(map(name_in_cell, examples.targets)) - {""}), examples.path)

    def _find_several(self, examples: Any) -> list[str]:
        names: set[str] = set()
        repeated = False
        for target in examples.targets:
            cells = list(map(name_in_cell, self._split(target)))
            repeated = repeated or len(set(cells)) < len(cells)
            names.update(cells)
        if repeated and names <= {"0", "1"}:
            raise InputError(f"{examples.path} has 0 and 1 for each label. Set model.labels to the names, in order.")
        return sorted(names - {""})

    def convert(self, targets: Sequence[Any]) -> list[Any]:
        """Names of the model's labels; places of labels where the file has numbers and no label is called by one."""
        if self._problem_type == "regression":
            return list(targets)
        index = LabelIndex(self.settings["labels"])
        if self._problem_type == "multi_label_classification":
            return [list(map(index.of_cell, self._split(target))) for target in targets]
        return list(map(index.of_cell, targets))

    def _split(self, target: Any) -> list[Any]:
        """The labels in a cell, or in a list, without empty ones."""
        labels = target if isinstance(target, list) else [target]
        if isinstance(target, str):
            labels = target.split(self.separator)
        return [label for label in labels if not isinstance(label, str) or label.strip()]
