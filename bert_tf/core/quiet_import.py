"""Imports TensorFlow without what its C++ libraries print, in version 2.20 and 2.21."""

import contextlib
import ctypes
import gc
import os
import pathlib
import sys
from collections.abc import Iterator

from bert_tf.core.import_hooks import import_within
from bert_tf.core.quiet_stderr import quiet_stderr

_ABSL_RELEASES = ("20250127", "20250814")  # in TensorFlow 2.20, 2.21
_FATAL = 3


def silence_tensorflow() -> None:
    """Silences the log of TensorFlow's C++ libraries, if TensorFlow is not imported yet; failures are shown.

    A TF_CPP_MIN_LOG_LEVEL below 3 in the environment is left as it is.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3":
        import_within("tensorflow", _quiet)  # version 2.21 does not obey the variable while it is imported


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with quiet_stderr(), without_collection():
        yield
    _silence_absl()


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """No garbage collection: an import makes hundreds of thousands of objects, and next to none become garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _silence_absl() -> None:
    """Sets the level of absl's C++ log, by which XLA reports its first compilation; no variable sets it.

    The function is not part of TensorFlow's API: where a version lacks it, that line is printed.
    """
    tensorflow = sys.modules["tensorflow"]
    with contextlib.suppress(OSError):
        library = ctypes.CDLL(str(pathlib.Path(tensorflow.__file__).with_name("libtensorflow_framework.so.2")))
        for release in _ABSL_RELEASES:
            name = f"_ZN4absl12lts_{release}14SetMinLogLevelENS0_18LogSeverityAtLeastE"
            if set_level := getattr(library, name, None):
                set_level(_FATAL)
