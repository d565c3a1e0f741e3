"""Records SIGTERM and Ctrl-C, so that a run can end between two steps."""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def received() -> Iterator[list[str]]:
    """Yields a list to which the name of each signal is appended; outside of the main thread it stays empty."""
    names: list[str] = []
    # Python allows signal handlers in the main thread only.
    if threading.current_thread() is not threading.main_thread():
        yield names
        return

    def note(number: int, frame: object) -> None:
        del frame
        names.append(signal.Signals(number).name)
        if names.count("SIGINT") > 1:
            raise KeyboardInterrupt  # pressed twice: do not wait for the step

    before = {}
    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, note)
    try:
        yield names
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
