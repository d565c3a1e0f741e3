"""The folder of a training run: whether it is one, what killed processes left in it, and a lock on it."""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from bert_tf.core import files
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.settings import shortened

SETTINGS = "settings.json"
# Files that this package makes while it writes others, and its lock. A killed process leaves them.
_UNFINISHED = r"\.lock|\..+\.[0-9a-f]+\.(tmp|new)"
# Keys of settings.json, those of version 0.1, and the types of the resolved values.
REQUESTED, RESOLVED = "asked", "settled"
_RESOLVED_TYPES = {"steps": int, "precision": str}


def read_settings(folder: str | os.PathLike, known: Sequence[str] = ()) -> dict[str, Any]:
    """The settings file of a run, {"asked": ..., "settled": ...}; {} if the folder is new or empty.

    What a killed process left half-written does not count.

    Args:
        folder: of the run.
        known: patterns of the names that a folder without a settings file may have too.

    Raises:
        ConfigError: the folder holds something else.
        InputError: the file is damaged.
    """
    folder = pathlib.Path(folder)
    path = folder / SETTINGS
    if path.exists():
        try:
            return _checked(files.read_json(path), path)
        except InputError as error:
            if others(folder, [re.escape(SETTINGS)]):
                raise InputError(f"{error} Restore the file, or set output to a new folder.") from None
            return {}  # nothing has been trained with it
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file. Set output to a new or empty folder.")
    if found := others(folder, known):
        raise ConfigError(f"{folder} holds something else than a run: {found[0]}. Set output to a new or empty folder.")
    return {}


def _checked(found: Any, path: pathlib.Path) -> dict[str, Any]:
    """The content of a settings file; `ConfigError` for another program's, `InputError` for impossible values."""
    parts = [found.get(name) for name in (REQUESTED, RESOLVED)] if isinstance(found, dict) else [None]
    if not all(isinstance(part, dict) for part in parts):
        raise ConfigError(f"{path} is not of a training run. Set output to a new or empty folder.")
    for name, value in found[RESOLVED].items():
        if not isinstance(value, _RESOLVED_TYPES.get(name, ())):
            raise InputError(f"{path} is damaged: {RESOLVED} has {name}={shortened(value)}.")
    return found


def others(folder: pathlib.Path, known: Sequence[str]) -> list[str]:
    """The names in a folder but those of the patterns `known`, and of what killed processes left half-written."""
    if not folder.exists():
        return []
    pattern = re.compile("|".join([_UNFINISHED, *known]))
    return sorted(path.name for path in folder.iterdir() if not pattern.fullmatch(path.name))


@contextlib.contextmanager
def locked(folder: str | os.PathLike, writes: bool = True) -> Iterator[None]:
    """Holds a run's folder for this process, and removes what killed processes left half-written in it.

    A folder that is still empty at the end, because the run was refused, is removed.

    Args:
        folder: of the run.
        writes: whether this worker writes the run's files; the others take no lock.

    Raises:
        InputError: another process works in the folder.
    """
    if not writes:
        yield
        return
    folder = pathlib.Path(folder)
    try:
        with files.locked_folder(folder):
            files.remove_leftovers(folder)
            yield
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()
