"""Registries of what can be added to the package: encoder families and tasks, by name.

An entry names the place of its object, which is imported when it is first used. So a lower part of the package can use
what a part above it defines, and `bert-tf --help` imports none of it.
"""

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from bert_tf.core.errors import ConfigError, did_you_mean


def resolve(place: str) -> Any:
    """Imports the object at "module:name"."""
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)


class Registry(Mapping):
    """Objects by name; an unknown name raises `ConfigError` with the known ones."""

    def __init__(self, kind: str, places: dict[str, Any]):
        self.kind = kind
        self._entries = dict(places)

    def __getitem__(self, name: str) -> Any:
        self.check(name)
        entry = self._entries[name]
        if isinstance(entry, str):
            entry = self._entries[name] = resolve(entry)
        return entry

    def check(self, name: str) -> None:
        """Raises `ConfigError` for an unknown name; imports nothing."""
        if name not in self._entries:
            hint = did_you_mean(str(name), self._entries, "Known names")
            raise ConfigError(f"Received: {self.kind} {name!r}. {hint}")

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @contextlib.contextmanager
    def added(self, item: Any) -> Iterator[None]:
        """A context in which `item` is registered under its `name`."""
        self.add(item)
        try:
            yield
        finally:
            del self._entries[item.name]

    def add(self, item: Any) -> None:
        """Registers `item` under its `name`; a name that is taken raises `ConfigError`."""
        if item.name in self._entries:
            raise ConfigError(f"Received: {self.kind} {item.name!r}. The name is taken; choose another.")
        self._entries[item.name] = item


def families() -> Registry:
    """The encoder families (`EncoderFamily` by name), for parts that are below them."""
    return resolve("bert_tf.modeling.families:FAMILIES")


def tasks() -> Registry:
    """The tasks (`TaskSpec` by name), for parts that are below them."""
    return resolve("bert_tf.tasks:TASKS")
