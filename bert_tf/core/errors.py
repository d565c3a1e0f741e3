"""The two kinds of error that a user can fix; everything else is a bug and keeps its traceback."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """A file, folder or text cannot be used as it is. The work stops; exit code 1."""


class ConfigError(ValueError):
    """The command line or a setting is wrong. Nothing was started; exit code 2."""


def already_exists(path: object) -> InputError:
    """The error for an output that is there and is not replaced."""
    return InputError(f"{path} exists. Choose another --output, or remove it.")


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """A hint for an unknown name: the nearest of the known ones, or `otherwise` ("Known keys") with all of them."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"{otherwise}: {', '.join(known)}."
