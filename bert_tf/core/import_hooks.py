"""Imports of single modules within a context, wherever in the process they are imported first."""

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any


def import_within(name: str, context: Callable[[], contextlib.AbstractContextManager]) -> None:
    """Runs the import of a module, if it is not imported yet, within `context()`."""
    if name not in sys.modules:
        sys.meta_path.insert(0, _Finder(name, context))


@contextlib.contextmanager
def without(names: Sequence[str]) -> Iterator[None]:
    """Within it modules cannot be imported; those that are already, stay."""
    blocker = _Blocker(names)
    sys.meta_path.insert(0, blocker)
    try:
        yield
    finally:
        sys.meta_path.remove(blocker)


def leave_out(name: str) -> None:
    """Makes imports of a module that is not imported yet find an empty one."""
    sys.modules.setdefault(name, ModuleType(name))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one module, until it is imported, with a loader that runs it within a context."""

    def __init__(self, name: str, context: Callable[[], contextlib.AbstractContextManager]):
        self.name, self.context = name, context
        self.asks_others = False

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self.name or self.asks_others:
            return None
        self.asks_others = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.asks_others = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self)
        return spec


class _Loader(importlib.abc.Loader):
    """Loads a module as another loader does, which the module then has as its own."""

    def __init__(self, loader: Any, finder: _Finder):
        self.loader, self.finder = loader, finder

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        sys.meta_path.remove(self.finder)
        module.__loader__ = module.__spec__.loader = self.loader
        with self.finder.context():
            self.loader.exec_module(module)


class _Blocker(importlib.abc.MetaPathFinder):
    """Refuses to find some modules."""

    def __init__(self, names: Sequence[str]):
        self.names = frozenset(names)

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if name in self.names:
            raise ModuleNotFoundError(f"{name} is not imported here", name=name)
