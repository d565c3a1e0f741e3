"""Progress bars: how far, how fast, how long still."""

import contextlib

from rich import progress
from rich.console import Console


@contextlib.contextmanager
def bar(description, total=None, unit="", console=None):
    """Shows a bar while the block runs and yields its `update(done, total=None, note="")`."""
    columns = (
        progress.TextColumn("  {task.description:<10}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn(unit),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[note]}"),
    )
    console = console or Console()
    # Without a terminal a bar would leave only blank lines.
    with progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(description, total=total, note="")

        def update(done, total=None, note=""):
            shown.update(task, completed=done, total=total, note=note)

        yield update
