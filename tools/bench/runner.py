"""Runs contenders in their own processes, in turns, and keeps the measurements."""

import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import re
import statistics
import subprocess

TOOLS = pathlib.Path(__file__).parent.parent


@dataclasses.dataclass(frozen=True)
class Case:
    """A contender of a part with its settings, a dict of JSON values."""

    part: str
    contender: str
    settings: dict

    @property
    def key(self):
        """A text that is equal for equal cases."""
        return json.dumps([self.part, self.contender, self.settings], sort_keys=True)

    def __str__(self):
        return " ".join([self.part, self.contender, *map(str, self.settings.values())])


@dataclasses.dataclass(frozen=True)
class Race:
    """Cases that take turns, round after round."""

    cases: list
    rounds: int


@dataclasses.dataclass(frozen=True)
class Measured:
    """The rounds of a case.

    A round is a dict: "wall" and "cpu" seconds of "steps" steps, which did "units" of work; "peak" and "before" MiB.
    """

    contender: str
    settings: dict
    rounds: list

    def seconds(self, clock):
        """Median seconds of a step, "cpu" or "wall"."""
        return statistics.median(found[clock] / found["steps"] for found in self.rounds)

    def rate(self, clock):
        """Median units of work per second, by the clock "cpu" or "wall"."""
        return statistics.median(found["units"] / found[clock] for found in self.rounds)

    def spread(self, clock):
        """Range of the rounds' seconds per step, relative to the median."""
        values = [found[clock] / found["steps"] for found in self.rounds]
        return (max(values) - min(values)) / statistics.median(values)

    def memory(self):
        """(MiB at the peak beyond those before the model was made, MiB before)."""
        peak, before = (max(found[name] for found in self.rounds) for name in ("peak", "before"))
        return peak - before, before


class Store:
    """An append-only file of JSON lines, one per round; lines of other machines are ignored.

    Args:
        path: of the file.
        machine: description of this machine, see `page.machine`.
        command: recorded with each round.

    Attributes:
        failures: {part: messages of contenders that failed}.
    """

    def __init__(self, path, machine, command):
        self.path, self.machine, self.command, self.failures, self._lines = path, machine, command, {}, []
        for line in path.read_text().splitlines() if path.exists() else ():
            with contextlib.suppress(json.JSONDecodeError):  # a line that was being written when the run was stopped
                self._lines.append(json.loads(line))

    def add(self, case, result):
        """Appends a round."""
        made = {"machine": self.machine, "date": str(datetime.date.today()), "command": self.command}
        self._lines.append(made | dataclasses.asdict(case) | {"result": result})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(self._lines[-1]) + "\n")

    def fail(self, case, reason):
        """Records that a case failed, for the page."""
        self.failures.setdefault(case.part, []).append(f"{case}: {reason}")

    def rounds(self, case):
        """Number of finished rounds of a case."""
        return sum(Case(line["part"], line["contender"], line["settings"]).key == case.key for line in self._seen())

    def of(self, part):
        """The `Measured` of a part, in the order of their first rounds."""
        found = {}
        for line in self._seen(part):
            key = Case(part, line["contender"], line["settings"]).key
            found.setdefault(key, Measured(line["contender"], line["settings"], [])).rounds.append(line["result"])
        return list(found.values())

    def dates(self, part):
        """The first and the last day on which a part was measured, once if they are equal."""
        days = sorted({line["date"] for line in self._seen(part)})
        return list(dict.fromkeys([days[0], days[-1]]))

    def commands(self, part):
        """The commands that measured a part, without repetitions, in their order."""
        return list(dict.fromkeys(line["command"] for line in self._seen(part)))

    def _seen(self, part=None):
        return [line for line in self._lines if line["machine"] == self.machine and part in (None, line["part"])]


class Failed(Exception):
    """A contender's process ended early; the message is the last line of its log."""


class Child:
    """A contender in its own process, built and checked, that waits for its turns.

    Args:
        case: a `Case`.
        python: the Python that runs it.
        variables: added to the environment.
        paths: folders that it reads from and writes to, by name.
        log: the file for what it prints.
    """

    def __init__(self, case, python, variables, paths, log):
        self._log = pathlib.Path(log)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        command = [python, "-m", "bench.worker", json.dumps(dataclasses.asdict(case) | {"paths": paths})]
        places = os.pathsep.join([str(TOOLS), str(TOOLS.parent)])
        with self._log.open("w") as file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                env=os.environ | {"PYTHONPATH": places} | variables,
            )
        if case.contender != "prepare":
            self._answer()

    def measure(self):
        """Runs the work once; returns the round."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            self.close()
            raise Failed(self._last_words())
        return json.loads(line)

    def close(self):
        """Ends the process, after its preparation if it only prepares; raises `Failed` if the process failed."""
        self._process.stdin.close()
        if self._process.wait():
            raise Failed(self._last_words())

    def _last_words(self):
        lines = self._log.read_text(errors="replace").strip().splitlines() or ["it ended without output"]
        return f"{lines[-1][:300]} ({self._log.name})"


def room():
    """MiB that waiting processes may hold together, so that the running one has enough."""
    available = re.search(r"MemAvailable:\s*(\d+) kB", pathlib.Path("/proc/meminfo").read_text())
    return 0.6 * int(available[1]) / 1024


def run(race, store, start, most=0):
    """Measures the rounds of a race that `store` lacks.

    A process is kept until its last round as long as the waiting ones hold at most `most` MiB together; otherwise it is
    restarted in each round. A contender that fails is skipped from then on, and the reason is recorded in `store`.

    Args:
        race: a `Race`.
        store: a `Store`.
        start: function from a `Case` to a `Child`.
        most: MiB of waiting processes.
    """
    waiting, lost = {}, set()
    for turn in range(race.rounds):
        for case in race.cases:
            if case.key in lost or store.rounds(case) > turn:
                continue
            try:
                child = waiting.pop(case.key)[0] if case.key in waiting else start(case)
                store.add(case, result := child.measure())
                print(f"round {turn + 1} of {race.rounds}: {case}: {result['cpu']:.2f} s of CPU", flush=True)
                held = sum(peak for _, peak in waiting.values()) + result["peak"]
                if turn + 1 < race.rounds and held <= most:
                    waiting[case.key] = child, result["peak"]
                else:
                    child.close()
            except Failed as failure:
                print(f"{case} skipped: {failure}", flush=True)
                store.fail(case, failure)
                lost.add(case.key)
