"""Progress: what is seen on a terminal of 80 columns, and what a log file gets."""

import io
import re
import subprocess
import sys
import threading
import time

import pytest
from rich.console import Console

from bert_tf.core import progress
from bert_tf.core.progress import Progress, stages

FIGURES = {"masked_lm_accuracy": 0.672, "loss": 2.3456, "tokens_per_second": 12345.6, "learning_rate": 1e-4}


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def console(width=None):
    """A recorded console: a terminal of `width` columns, or a log file."""
    terminal = width is not None
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)


def shown_lines(terminal):
    """The lines that a terminal showed, without control sequences, newest last."""
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.file.getvalue())
    return [line for line in re.split(r"[\r\n]+", text) if line.strip()]


def train_on_terminal(width, clock, figures):
    terminal = console(width)
    with Progress(terminal, clock) as show:
        show("training", 10, 2400)
        clock.now += 60
        show("training", 1210, 2400, figures=figures)
    return shown_lines(terminal)[-1]


def test_80_columns_show_bar_position_loss_speed_and_time_left(clock):
    line = train_on_terminal(80, clock, FIGURES)
    assert line.rstrip() == "━━━━━━━━━━ training  1,210/2,400  loss 2.35  12,346 tokens/s  1:00 left".replace(
        "━━━━━━━━━━", line[:10]
    )
    assert set(line[:10]) <= set("━╸╺ ")
    assert line[0] == "━"


def test_the_largest_figures_still_fit_80_columns(clock):
    terminal = console(80)
    with Progress(terminal, clock) as show:
        show("training", 1, 1_000_000)
        clock.now += 36_000
        show("training", 123_456, 1_000_000, figures={"loss": 10.44, "tokens_per_second": 123_456.0})
    line = shown_lines(terminal)[-1]
    assert "123,456/1,000,000  loss 10.4  123,456 tokens/s" in line
    assert "…" not in line
    assert len(line.rstrip()) <= 80


def test_a_wider_terminal_shows_the_other_figures_too(clock):
    line = train_on_terminal(140, clock, FIGURES)
    assert line.rstrip().endswith("tokens/s  1:00 left  masked lm accuracy 0.672  learning rate 0.0001")
    assert line.startswith("━━━━━━━━━━━━")


def test_a_narrow_terminal_cuts_no_number(clock):
    line = train_on_terminal(50, clock, FIGURES)
    assert line.rstrip()[10:] == " training  1,210/2,400  loss 2.35"


def test_a_stage_without_an_end_shows_its_time(clock):
    terminal = console(80)
    with Progress(terminal, clock) as show:
        show("evaluate", 0)
        clock.now += 75
    assert shown_lines(terminal)[-1].rstrip().endswith("evaluate  1:15 elapsed")


def test_without_a_terminal_a_line_comes_every_30_seconds(clock):
    log = console()
    with Progress(log, clock) as show:
        show("training", 0, 100)
        for step in range(1, 71):
            clock.now += 1
            show("training", step, 100, figures={"loss": 5 - step / 100, "tokens_per_second": 2048.0})
    assert log.file.getvalue().splitlines() == [
        "training  0/100",
        "training  30/100  loss 4.7  2,048 tokens/s  1:10 left  0:30 elapsed",
        "training  60/100  loss 4.4  2,048 tokens/s  0:40 left  1:00 elapsed",
        "training  70/100  loss 4.3  2,048 tokens/s  1:10 elapsed",
    ]


def test_lines_come_while_nothing_is_reported(clock):
    log = console()
    with Progress(log, clock) as show:
        clock.now += 31
        show._display.tick()
        show("learn", 0, 1)
        clock.now += 45
        show._display.tick()
        show._display.tick()
    assert log.file.getvalue().splitlines() == [
        "starting  0:31 elapsed",
        "learn     0/1",
        "learn     0/1  1:16 elapsed",
        "learn     0/1  0:31 elapsed",
    ]


def test_a_thread_prints_them(monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0.2)
    log = console()
    with Progress(log):
        deadline = time.monotonic() + 10
        while not log.file.getvalue() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert log.file.getvalue().startswith("starting  0:0")
    assert not any(thread.name == "progress" for thread in threading.enumerate())


def test_each_stage_has_a_last_line_with_its_time(clock):
    log = console()
    with Progress(log, clock) as show:
        show("read", 5_000_000, None)
        clock.now += 5
        show("read", 25_000_000, 25_000_000)
        clock.now += 2
        show("count", 7, 10, note="words")
    assert log.file.getvalue().splitlines() == [
        "read      5,000,000",
        "read      25.0M/25.0M  0:05 elapsed",
        "count     7/10  words",
        "count     7/10  0:02 elapsed  words",
    ]


def test_a_line_has_no_more_than_118_columns(clock):
    log = console()
    with Progress(log, clock) as show:
        show("training", 1, 100, figures=FIGURES | {"heldout_masked_lm_accuracy": 0.5, "gradient_norm": 1.5})
    lines = log.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 118
    assert lines[-1].startswith("training  1/100  loss 2.35  12,346 tokens/s  0:00 elapsed  masked lm accuracy 0.672")


def test_an_interruption_stops_the_display_and_says_where(clock):
    log = console()
    with pytest.raises(KeyboardInterrupt), Progress(log, clock) as show:
        show("write", 3, 10)
        raise KeyboardInterrupt
    assert log.file.getvalue().splitlines()[-1] == "write     3/10  0:00 elapsed"
    assert not any(thread.name == "progress" for thread in threading.enumerate())


def test_a_resumed_stage_counts_from_where_it_began(clock):
    log = console()
    with Progress(log, clock) as show:
        show("training", 900, 1000)
        clock.now += 30
        show("training", 950, 1000)
    assert "950/1,000  0:30 left" in log.file.getvalue()


def test_time_left_is_known_at_once_when_a_stage_comes_again(clock):
    terminal = console(80)
    with Progress(terminal, clock) as show:
        show("training", 0, 100, figures=FIGURES)
        clock.now += 20
        show("training", 40, 100)
        show("evaluating", 0, 1)
        clock.now += 7
        show("training", 40, 100, figures=FIGURES)
    assert "training  40/100  loss 2.35  12,346 tokens/s  0:30 left" in shown_lines(terminal)[-2]


def test_an_inner_display_is_the_outer_one():
    with stages() as outer, stages() as inner:
        assert inner is outer
    with stages() as later:
        assert later is not outer


def test_standard_output_stays_clean():
    code = "from bert_tf.core.progress import stages\nwith stages() as show: show('read', 1, 2)\nprint('result')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "result\n"
    assert done.stderr.splitlines() == ["read      1/2", "read      1/2  0:00 elapsed"]
