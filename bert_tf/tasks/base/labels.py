"""The numbers of classes, by their names or by their places."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.settings import shortened
from bert_tf.tasks.base.raw_inputs import as_list, decoded, finite_float32

# C labels

NAMES = "Give the names of the classes, each once: labels=['neg', 'pos']"

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")
_TRUTH = {"false": 0.0, "true": 1.0}


def label_names(labels: Any, least: int) -> list[str]:
    """Names of labels in any form of a column as a list of strings.

    Raises:
        ConfigError: they are no list, fewer than `least`, or not distinct.
    """
    if labels is None or isinstance(labels, str | bytes | int | float | dict):
        raise ConfigError(f"Received: labels={labels!r}. {NAMES}.")
    names = [str(decoded(label)) for label in as_list(labels)]
    if len(names) < least or len(set(names)) < len(names):
        raise ConfigError(f"Received: labels={names}. At least {least} are needed. {NAMES}.")
    return names


class LabelIndex:
    """Finds the number of one of C labels, 0 to C - 1, for a target.

    A string is the name of a label. A number whose text is the name of a label is that label; any other is the place of
    a label, counted from 0. Where labels are called by numbers or truth values that are not their places, it cannot be
    known whether such a number is a place, and it is refused.

    Args:
        labels: names of the C labels.

    Attributes:
        called_by_numbers: whether any label's name is a number or a truth value.
    """

    def __init__(self, labels: Sequence[str]):
        self.labels = list(labels)
        self._number: dict[str, int] = {}
        for i, label in enumerate(self.labels):
            self._number.setdefault(label.strip(), i)  # "pos " and "pos" are one class
        self._number |= {label: i for i, label in enumerate(self.labels)}
        values = [(i, _value_of(label)) for i, label in enumerate(self.labels)]
        self.called_by_numbers = any(value is not None for _, value in values)
        self._has_places = all(value in (None, i) for i, value in values)

    def __contains__(self, target: Any) -> bool:
        return self._find(target) is not None

    def number(self, target: Any, row: int) -> int:
        """The number of the label that `target`, a name or a number, means; else `InputError` with the row."""
        target = decoded(target)
        found = self._find(target)
        if found is not None:
            return found
        hint = ""
        if not self._has_places and not isinstance(target, str):
            hint = " Some are called by numbers, so that a number is taken as a name, not as a place."
        raise InputError(f"Row {row} has the label {shortened(target)}. Labels: {', '.join(self.labels[:20])}.{hint}")

    def of_cell(self, cell: Any) -> Any:
        """The target that a cell of a data file means, where every number is text: a name, or else a place.

        Places are read only where no label is called by a number; other cells are returned as names, unknown ones too.
        """
        name = name_in_cell(cell)
        if not name:
            return cell
        if str(cell) in self._number:
            return str(cell)
        is_place = not self.called_by_numbers and name.isdecimal() and len(name) < 10
        return int(name) if is_place and name not in self._number else name

    def _find(self, target: Any) -> int | None:
        if isinstance(target, np.generic):
            target = target.item()
        target = decoded(target)
        if isinstance(target, str):
            return self._number.get(target, self._number.get(target.strip()))
        if not finite_float32(target):
            return None
        for name in _spellings(target):
            if name in self._number:
                return self._number[name]
        is_place = self._has_places and target == target // 1 and 0 <= target < len(self.labels)
        return int(target) if is_place else None


def name_in_cell(cell: Any) -> str:
    """The name of the class in a cell of a data file, a text or a number; "" where it names none."""
    if not isinstance(cell, str | int | float) or cell != cell:  # NaN is no class
        return ""
    return str(cell).strip()


def _spellings(number: bool | int | float) -> list[str]:
    """How the name of a class may spell a number or a truth value."""
    names = [str(number)]
    if isinstance(number, bool):
        names += [str(number).lower(), str(number).upper()]
    if number == number // 1:
        names += [str(int(number)), f"{int(number)}.0"]
    return names


def _value_of(label: str) -> float | None:
    """The number that is the name of a label, 0 and 1 for truth values; None for other names."""
    label = label.strip()
    if _NUMBER.fullmatch(label):
        return float(label)
    return _TRUTH.get(label.lower())


def is_indicator(target: Any, count: int) -> bool:
    """Whether a target is a list of 0 or 1 for each of `count` labels."""
    return are_numbers(target, count) and all(number in (0, 1) for number in target)


def are_numbers(target: Any, count: int) -> bool:
    """Whether a target is a list of `count` numbers."""
    return isinstance(target, list) and len(target) == count and all(isinstance(item, int | float) for item in target)
