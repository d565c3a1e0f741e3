"""Dataclasses of settings whose fields carry a meaning and the allowed values, checked whenever one is made."""

import dataclasses
import numbers
import operator
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from bert_tf.core.errors import ConfigError

_MEANING = "meaning"
# Unless a field allows less. TensorFlow computes with int32 and float32: larger numbers overflow there.
LARGEST_INTEGER, LARGEST_NUMBER = 2**31 - 1, 1e38
_TYPES = {int: "integer", float: "number", str: "text", bool: "true or false"}


@dataclasses.dataclass(frozen=True)
class Setting:
    """The meaning and the allowed values of a field; the bounds of a list or table are those of its items.

    Attributes:
        meaning: a phrase for the list of settings.
        least, above, most, below: bounds of a number; None: no bound.
        choices: the allowed texts; empty: any.
    """

    meaning: str = ""
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """The allowed values in words, "" where all values of the type are."""
        bounds = " and ".join(f"{words} {bound:,}" for words, _, bound in self._bounds())
        choices = f"one of {', '.join(self.choices)}" if self.choices else ""
        return ", or ".join(filter(None, (bounds, choices)))

    def _bounds(self) -> list[tuple[str, Callable, float]]:
        """(words, comparison, bound) of each bound that is set."""
        bounds = (
            ("at least", operator.ge, self.least),
            ("above", operator.gt, self.above),
            ("at most", operator.le, self.most),
            ("below", operator.lt, self.below),
        )
        return [(words, compare, bound) for words, compare, bound in bounds if bound is not None]

    def check(self, name: str, value: Any) -> None:
        """Raises `ConfigError` if `value` is not allowed; None is a matter of the type and always is."""
        items = [value]
        if isinstance(value, Mapping):
            items = list(value.values())
        elif isinstance(value, list | tuple):
            items = list(value)
        for item in items:
            if item is not None and (refused := self._refusal(item)):
                raise ConfigError(f"Received: {name}={shortened(item)}. {name} must be {refused}.")

    def _refusal(self, value: Any) -> str:
        """The values that are allowed instead of `value`, "" if it is allowed."""
        if self.choices and (isinstance(value, str) or not self._bounds()):
            return "" if value in self.choices else f"one of {', '.join(self.choices)}"
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            return ""
        number: Any = value
        largest: float = LARGEST_INTEGER if isinstance(number, numbers.Integral) else LARGEST_NUMBER
        if self.most is not None:
            largest = self.most
        # Every comparison with nan is false, so it is refused too.
        if abs(number) <= largest and all(compare(number, bound) for _, compare, bound in self._bounds()):
            return ""
        if number > largest and self.most is None:
            return " and ".join(filter(None, (self.allowed, f"at most {largest:,}")))
        return self.allowed or "a finite number"


def setting(default: Any, meaning: str, **allowed: Any) -> Any:
    """A field of a `Settings` dataclass; `allowed` are the other arguments of `Setting`."""
    return dataclasses.field(default=default, metadata={_MEANING: Setting(meaning, **allowed)})


@dataclasses.dataclass(frozen=True)
class Settings:
    """Base of dataclasses of settings: a value that its field does not allow raises `ConfigError`.

    Numbers of fields that declare nothing must be finite, and fit into 32 bits.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            setting_of(field).check(field.name, getattr(self, field.name))


def setting_of(field: dataclasses.Field) -> Setting:
    """The `Setting` of a dataclass field, an empty one where it declares none."""
    return field.metadata.get(_MEANING, Setting())


class Row(typing.NamedTuple):
    """A line of a list of settings: "section.key", its default as in TOML, the allowed values and the meaning."""

    key: str
    default: str
    values: str
    meaning: str


def rows_of(cls: type, where: str = "", without: tuple[str, ...] = ()) -> list[Row]:
    """The settings of a dataclass and of the dataclasses in it, in their order.

    Args:
        where: dotted path of the dataclass in the whole config; ends with a dot, or is "".
        without: fields that are left out.
    """
    hints = typing.get_type_hints(cls)
    rows: list[Row] = []
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        if field.name in without:
            continue
        if dataclasses.is_dataclass(hint):
            rows += rows_of(typing.cast(type, hint), f"{where}{field.name}.")
            continue
        found = setting_of(field)
        values = ", ".join(filter(None, (_type_name(hint), found.allowed)))
        rows.append(Row(where + field.name, _toml(field.default), values, found.meaning))
    return rows


def _type_name(hint: Any) -> str:
    if isinstance(hint, types.UnionType):
        names = [_type_name(option) for option in typing.get_args(hint) if option is not type(None)]
        return " or ".join(names)
    if typing.get_origin(hint) is tuple:
        return f"list of {_type_name(typing.get_args(hint)[0])}s"
    if typing.get_origin(hint) is dict:
        return f"table of {_type_name(typing.get_args(hint)[1])}s"
    return _TYPES.get(hint, "table")


def _toml(value: Any) -> str:
    """A default as it is written in TOML and on the command line; None is "none"."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)


def shortened(value: Any) -> str:
    """`repr(value)` for a message, cut to a short line."""
    if isinstance(value, int) and abs(value) >= 10**30:
        return "(an integer of more than 30 digits)"  # Python refuses to spell those of more than 4,300
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
