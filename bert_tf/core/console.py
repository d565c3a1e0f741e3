"""Rich text on standard output."""

import sys

from rich.console import Console

_UNLIMITED = 1 << 20  # columns


def output_console() -> Console:
    """A console of rich on standard output; lines are not wrapped where that is no terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _UNLIMITED)
