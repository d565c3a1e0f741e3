"""SIGTERM and Ctrl-C as something to look at between two steps."""

import contextlib
import signal
import threading


@contextlib.contextmanager
def received():
    """Yields a list that gets the name of each such signal; outside of the main thread it stays empty."""
    names = []
    if threading.current_thread() is not threading.main_thread():
        yield names
        return

    def note(number, frame):
        del frame
        names.append(signal.Signals(number).name)
        if names.count("SIGINT") > 1:
            raise KeyboardInterrupt  # who presses twice does not want to wait

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield names
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
