"""Imports TensorFlow without what its C++ libraries print, in version 2.20 and 2.21."""

import contextlib
import ctypes
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import pathlib
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from bert_tf.core.quiet_stderr import quiet_stderr

_ABSL_RELEASES = ("20250127", "20250814")  # in TensorFlow 2.20, 2.21
_FATAL = 3


def silence_tensorflow() -> None:
    """Silences the log of TensorFlow's C++ libraries, if TensorFlow is not imported yet; failures are shown.

    A TF_CPP_MIN_LOG_LEVEL below 3 in the environment is left as it is.
    """
    level = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if level == "3" and "tensorflow" not in sys.modules:
        # Version 2.21 does not obey the variable while it is imported.
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds `tensorflow` once, with a loader that keeps standard error back."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    """Loads a module as another loader does, which the module then has as its own."""

    def __init__(self, loader: Any):
        self.loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = module.__spec__.loader = self.loader
        with quiet_stderr(), _without_collection():
            self.loader.exec_module(module)
        _silence_absl(module)


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """No garbage collection: an import makes hundreds of thousands of objects, and next to none become garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _silence_absl(tensorflow: ModuleType) -> None:
    """Sets the level of absl's C++ log, by which XLA reports its first compilation; no variable sets it.

    The function is not part of TensorFlow's API: where a version lacks it, that line is printed.
    """
    with contextlib.suppress(OSError):
        library = ctypes.CDLL(str(pathlib.Path(tensorflow.__file__).with_name("libtensorflow_framework.so.2")))
        for release in _ABSL_RELEASES:
            name = f"_ZN4absl12lts_{release}14SetMinLogLevelENS0_18LogSeverityAtLeastE"
            if set_level := getattr(library, name, None):
                set_level(_FATAL)
