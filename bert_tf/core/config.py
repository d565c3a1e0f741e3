"""Settings as frozen dataclasses: loaded strictly, overridden by `key=value`, saved with every run."""

import contextlib
import dataclasses
import difflib
import importlib.resources
import json
import pathlib
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from bert_tf.core.errors import ConfigError, InputError, did_you_mean
from bert_tf.core.files import read_text
from bert_tf.core.settings import shortened

_MAX_BYTES = 1 << 20  # of a config
_MAX_DOTS = 1000  # in a line; the parser's time is quadratic in the parts of a key
_TYPE_NAMES = {tuple: "list", dict: "table"}  # as TOML calls them


@dataclasses.dataclass(frozen=True)
class TextConfig:
    """How a tokenizer reads text; part of the vocabulary, and saved with the model."""

    lower_case: bool = True
    strip_accents: bool | None = None  # None: as lower_case
    split_cjk: bool = True
    max_word_chars: int = 200  # longer words become [UNK]; Hugging Face's limit is 100
    special_tokens: bool = False  # True: a "[MASK]" in a text stays one token
    added_tokens: tuple[str, ...] = ()  # tokens of the vocabulary that are found in texts before anything is split
    added_any_case: tuple[str, ...] = ()  # the same; where `lower_case` is on, their case does not matter

    def __post_init__(self) -> None:
        if self.max_word_chars < 1:
            raise ConfigError(f"Received: max_word_chars={self.max_word_chars}. It must be at least 1.")

    @property
    def strips_accents(self) -> bool:
        """Whether accents are removed."""
        return self.lower_case if self.strip_accents is None else self.strip_accents

    def to_json(self) -> dict[str, Any]:
        """The settings as a JSON file gives them back; lists of added tokens only where there are any."""
        values: dict[str, Any] = {}
        for name, value in vars(self).items():
            if value != ():
                values[name] = list(value) if isinstance(value, tuple) else value
        return values


def from_dict(cls: Any, data: Mapping[str, Any], where: str = "") -> Any:
    """Builds the dataclass `cls` from nested dicts.

    Args:
        where: dotted path of `data` in the whole config, for messages; ends with a dot, or is "".

    Raises:
        ConfigError: a key is unknown, or a value has another type than its field.
    """
    hints = typing.get_type_hints(cls)
    values = {}
    for key, value in data.items():
        if key not in hints:
            raise ConfigError(f"Unknown key {where + key!r}. {did_you_mean(key, hints, 'Known keys')}")
        values[key] = _convert(hints[key], value, where + key)
    return cls(**values)


def override(config: Any, assignments: Iterable[str]) -> Any:
    """Returns a copy of `config` with `"section.key=value"` strings applied.

    Values are read as TOML; "none" is None, and anything that is not TOML is text. Unknown keys and wrong types raise
    `ConfigError`.
    """
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"Received: {assignment!r}. Overrides are written key=value.")
        config = _replace(config, key.strip().split("."), parse_value(text.strip()), key.strip())
    return config


def shipped_configs() -> dict[str, pathlib.Path]:
    """The configs that come with the package, by name: `configs/` of the repository, also inside of the wheel."""
    folder = importlib.resources.files("bert_tf") / "configs"
    return {path.stem: path for path in sorted(pathlib.Path(str(folder)).glob("*.toml"))}


def find_config(path: str | pathlib.Path) -> pathlib.Path:
    """The file at `path`; where there is none, the package's config of that name ("sst2" or "configs/sst2.toml")."""
    path = pathlib.Path(path)
    if path.exists() and not path.is_dir():
        return path
    shipped = shipped_configs()
    name = path.name.removesuffix(".toml")
    if name in shipped and path.parent.name in ("", "configs"):
        return shipped[name]
    close = difflib.get_close_matches(name, shipped, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    raise ConfigError(f"No such config: {path}. {hint}Give a file, or a name from the list of `bert-tf configs`.")


def load_toml(cls: Any, path: str | pathlib.Path) -> Any:
    """Reads a TOML file, or a config of the package by its name, into the dataclass `cls`.

    A missing file, one that is not TOML, an unknown key and a wrong type raise `ConfigError`.
    """
    return from_dict(cls, read_toml(path))


def read_toml(path: str | pathlib.Path) -> dict[str, Any]:
    """Reads a TOML file, or a config of the package by its name, as nested dicts."""
    path = find_config(path)
    try:
        return _parse_toml(read_text(path, _MAX_BYTES), str(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    except InputError as error:
        raise ConfigError(str(error)) from None


def _parse_toml(text: str, source: str) -> dict[str, Any]:
    """The tables of a TOML text; `ConfigError`, that begins with `source`, for values that Python cannot hold.

    Raises:
        tomllib.TOMLDecodeError: it is not TOML.
    """
    if max(line.count(".") for line in text.split("\n")) > _MAX_DOTS:
        raise ConfigError(f"{source}: nested too deeply.")
    try:
        tables = tomllib.loads(text)
        repr(tables)  # what is nested in other ways can be too deep for messages
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise ConfigError(f"{source}: nested too deeply.") from None
    except ValueError as error:  # Python's limit on the digits of an integer
        raise ConfigError(f"{source}: {error}.") from None
    return tables


def _replace(config: Any, keys: list[str], value: Any, full_key: str) -> Any:
    hints = typing.get_type_hints(type(config))
    key = keys[0]
    if key not in hints:
        raise ConfigError(f"Unknown key {full_key!r}. {did_you_mean(key, hints, 'Known keys')}")
    if len(keys) > 1:
        inner = getattr(config, key)
        if not dataclasses.is_dataclass(inner):
            raise ConfigError(f"Unknown key {full_key!r}: {key!r} has no parts.")
        value = _replace(inner, keys[1:], value, full_key)
    else:
        value = _convert(hints[key], value, full_key)
    return dataclasses.replace(config, **{key: value})


def _convert(hint: Any, value: Any, where: str) -> Any:
    """`value` as the type of a field: int becomes float, list tuple, and "none" None where no other text is allowed."""
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if type(None) in options and (value is None or (value == "none" and str not in options)):
        return None
    options = tuple(option for option in options if option is not type(None))
    for option in options[:-1]:
        with contextlib.suppress(ConfigError):
            return _convert(option, value, where)
    hint = options[-1]
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return from_dict(hint, value, where + ".")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return _as_float(value, where)
    kind, items = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind is tuple and isinstance(value, list | tuple):
        return tuple(_convert(items[0], item, where) for item in value)
    if kind is dict and isinstance(value, dict):
        return {key: _convert(items[1], item, f"{where}.{key}") for key, item in value.items()}
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        names = " or ".join(map(_type_name, options))
        raise ConfigError(f"Received: {where}={shortened(value)}. {where} must be of type {names}.")
    return value


def _type_name(hint: Any) -> str:
    kind = typing.get_origin(hint) or hint
    return _TYPE_NAMES.get(kind, kind.__name__)


def _as_float(value: int, where: str) -> float:
    """An integer as a float; `ConfigError` for one that is too large."""
    try:
        return float(value)
    except OverflowError:
        raise ConfigError(f"Received: {where}={shortened(value)}. {where} must be a finite number.") from None


def parse_value(text: str) -> Any:
    """The value of a `key=value` override: as in TOML, else the text; "none" is None."""
    if text == "none":
        return None
    try:
        return _parse_toml(f"value = {text}", f"Received: {shortened(text)}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def assignment(key: str, value: str) -> str:
    """The `key=value` override that sets a text, whatever characters it has."""
    quoted = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML has JSON's escapes
    return f"{key}={quoted}"
