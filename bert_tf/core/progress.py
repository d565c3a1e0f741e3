"""Progress bars: how far, how fast, how long still."""

import contextlib

from rich import progress
from rich.console import Console


@contextlib.contextmanager
def stages():
    """Shows a bar a stage while the block runs, and yields `progress(stage, done, total=None, note="")`."""
    columns = (
        progress.TextColumn("  {task.description:<10}"),
        progress.BarColumn(),
        progress.TextColumn("{task.completed:,.0f}"),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[note]}"),
    )
    console = Console()
    bars = {}
    # Without a terminal a bar would leave only blank lines.
    with progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:

        def update(stage, done, total=None, note=""):
            if stage not in bars:
                bars[stage] = shown.add_task(stage, total=total, note="")
            shown.update(bars[stage], completed=done, total=total, note=note)

        yield update
