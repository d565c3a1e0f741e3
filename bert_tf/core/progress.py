"""Progress of long work: a bar per stage on a terminal, a line at least every 30 seconds elsewhere."""

import contextlib
import dataclasses
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType

from rich import progress
from rich.console import Console
from rich.text import Text

INTERVAL = 30.0  # seconds between two lines where there is no terminal
_BAR = (10, 24)  # columns, least and most
_LINE = 118  # columns of a line in a log file, at most
_REQUIRED = 69  # columns that the stage, its position, the loss, the speed and the time left need beside the bar


@dataclasses.dataclass
class Stage:
    """One stage of the work: how far it is and its newest figures.

    Attributes:
        started: clock when the stage before it was last reported, in seconds.
        first: clock and position of the first report; the speed is measured from there, because the time before it
            goes into reading, tracing and compiling.
        pace: seconds per unit when the stage was left the last time, None if it never was.
    """

    name: str
    started: float
    first: tuple[float, float]
    updated: float
    done: float = 0
    total: float | None = None
    pace: float | None = None
    note: str = ""
    figures: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def seconds_left(self, now: float) -> float | None:
        """Time left at the mean speed since the first report; None while it is unknown."""
        pace = self.current_pace()
        if not self.total or pace is None or self.done >= self.total:
            return None
        return max(0.0, (self.total - self.done) * pace - (now - self.updated))

    def current_pace(self) -> float | None:
        """Mean seconds per unit since the first report, or since an earlier time in this stage."""
        start, position = self.first
        if self.done <= position:
            return self.pace
        return (self.updated - start) / (self.done - position)

    def parts(self, now: float, elapsed: bool = False) -> list[str]:
        """Texts in order of importance: name, position, loss, tokens per second, time left, then all other figures."""
        figures = dict(self.figures)
        parts = [f"{self.name:<8}"]
        if self.done or self.total:
            parts.append(_count(self.done) + (f"/{_count(self.total)}" if self.total else ""))
        if "loss" in figures:
            parts.append(f"loss {_rounded(figures.pop('loss'))}")
        if "tokens_per_second" in figures:
            parts.append(f"{_rounded(figures.pop('tokens_per_second'))} tokens/s")
        left = self.seconds_left(now)
        if left is not None:
            parts.append(f"{_duration(left)} left")
        if elapsed:
            parts.append(f"{_duration(now - self.started)} elapsed")
        if self.note:
            parts.append(self.note)
        return parts + [f"{name.replace('_', ' ')} {_rounded(value)}" for name, value in figures.items()]


class Progress:
    """A context in which `progress(stage, done, total)` shows how far the work is; safe to use from any thread.

    On a terminal each stage has a bar, which disappears at the end. Elsewhere a line is printed when a stage begins,
    every 30 seconds, also while nothing is reported, and when a stage ends. Both go to standard error.

    Args:
        console: of rich; None: standard error.
        clock: seconds, monotonic.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic):
        self.console = console or Console(stderr=True, highlight=False)
        self.clock = clock
        animated = self.console.is_terminal and not self.console.is_dumb_terminal
        self._display: _Bars | _Lines = (_Bars if animated else _Lines)(self.console, clock)
        self._stage: Stage | None = None
        self._paces: dict[str, float | None] = {}  # of the stages that were left, which may come again
        self._lock = threading.Lock()

    def __call__(
        self,
        stage: str,
        done: float,
        total: float | None = None,
        note: str | None = None,
        figures: Mapping[str, float] | None = None,
    ) -> None:
        """Reports the position of a stage; cheap enough for every step.

        Args:
            stage: its name, one short word; a new name begins a new stage.
            done: steps, bytes or whatever the stage counts.
            total: where it ends, in the same unit; None: unknown.
            note: a short text; None: as before.
            figures: name to number. "loss" and "tokens_per_second" are always shown, others where there is room.
                None: as before.
        """
        with self._lock:
            now = self.clock()
            current = self._stage
            if current is None or current.name != stage:
                started = self._entered
                if current:
                    started = current.updated
                    self._paces[current.name] = current.current_pace()
                current = self._stage = Stage(stage, started, (now, done), now, pace=self._paces.get(stage))
            current.updated, current.done, current.total = now, done, total
            if note is not None:
                current.note = note
            if figures is not None:
                current.figures = figures
            self._display.update(current)

    def __enter__(self) -> "Progress":
        self._entered = self.clock()
        self._display.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._display.stop()


_active: Progress | None = None


@contextlib.contextmanager
def stages() -> Iterator[Progress]:
    """Shows progress while the block runs; inside another such block, yields the display of the outer one."""
    global _active
    if _active is not None:
        yield _active
        return
    with Progress() as _active:
        try:
            yield _active
        finally:
            _active = None


class _Bars:
    """Bars on a terminal, one per stage."""

    def __init__(self, console: Console, clock: Callable[[], float]):
        width = max(_BAR[0], min(_BAR[1], console.width - _REQUIRED - 1))
        columns = progress.BarColumn(bar_width=width), _Figures(console, width, clock)
        # Redirected standard output stays what it is; on the terminal it is printed above the bars.
        self._shown = progress.Progress(
            *columns, console=console, transient=True, get_time=clock, redirect_stdout=sys.stdout.isatty()
        )
        self._bars: dict[str, progress.TaskID] = {}

    def start(self) -> None:
        self._shown.start()

    def update(self, stage: Stage) -> None:
        if stage.name not in self._bars:
            self._bars[stage.name] = self._shown.add_task(stage.name, total=stage.total)
        self._shown.update(self._bars[stage.name], completed=stage.done, total=stage.total, stage=stage)

    def stop(self) -> None:
        self._shown.stop()


class _Figures(progress.ProgressColumn):
    """The text right of a bar: as many parts as the line has room for."""

    def __init__(self, console: Console, bar_width: int, clock: Callable[[], float]):
        super().__init__()
        self.console, self.bar_width, self.clock = console, bar_width, clock

    def render(self, task: progress.Task) -> Text:
        stage = task.fields.get("stage")
        room = self.console.width - self.bar_width - 1
        text = _fit(stage.parts(self.clock(), elapsed=not stage.total), room) if stage else ""
        return Text(text, no_wrap=True, overflow="ellipsis")


class _Lines:
    """Lines for log files and pipes, printed by a thread so that they also come while nothing is reported."""

    def __init__(self, console: Console, clock: Callable[[], float]):
        self._console, self._clock = console, clock
        self._stage: Stage | None = None
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def start(self) -> None:
        self._entered = self._printed = self._clock()
        self._thread.start()

    def update(self, stage: Stage) -> None:
        with self._lock:
            if self._stage is None or self._stage.name != stage.name:
                self._print_end()
                self._stage = dataclasses.replace(stage)
                self._print(stage.parts(self._clock()))
            else:
                self._stage = dataclasses.replace(stage)
        self.tick()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._print_end()

    def tick(self) -> None:
        """Prints a line if the last one is `INTERVAL` ago."""
        with self._lock:
            now = self._clock()
            if now - self._printed < INTERVAL:
                return
            if self._stage is None:
                self._print(["starting", f"{_duration(now - self._entered)} elapsed"])
            else:
                self._print(self._stage.parts(now, elapsed=True))

    def _run(self) -> None:
        while not self._stopped.wait(0.5):
            self.tick()

    def _print_end(self) -> None:
        """The last line of a stage: its last figures and the time that it took."""
        if self._stage is not None:
            # Without a pace, so that no time left is shown.
            ended = dataclasses.replace(self._stage, first=(self._stage.updated, self._stage.done), pace=None)
            self._print(ended.parts(ended.updated, elapsed=True))

    def _print(self, parts: list[str]) -> None:
        self._printed = self._clock()
        self._console.print(_fit(parts, _LINE), soft_wrap=True, markup=False, highlight=False)


def _fit(parts: list[str], room: int) -> str:
    """Joins the parts that fit into `room` columns, the first ones first."""
    line = parts[0]
    for part in parts[1:]:
        if len(line) + 2 + len(part) <= room:
            line += f"  {part}"
    return line


def _count(number: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6)):
        if number >= 10 * size:
            return f"{number / size:,.1f}{unit}"
    return f"{number:,.0f}"


def _rounded(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
