"""Targets of a compression, such as "size=8MB": what a file may weigh, take and lose; needs no TensorFlow."""

import dataclasses
import re
from collections.abc import Sequence

from bert_tf.core.errors import ConfigError

_UNITS = {
    "size": {"kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20, "gib": 2**30},  # bytes
    "latency": {"us": 1e-3, "ms": 1.0, "s": 1e3},  # milliseconds
    "points": {"": 1.0},
}
_EXAMPLES = "size=8MB, latency=2ms or points=1, or several of them separated by commas"
FORMS = ("none", "float16", "int8", "int4_table", "int4")  # of the files, as in `export_tflite`
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?) *([a-z]*)")


@dataclasses.dataclass(frozen=True)
class Measured:
    """The file of a step of a compression.

    Attributes:
        name: of the step.
        meaning: what the step did, in words.
        size: bytes.
        latency: milliseconds of a row on one thread.
        score: the task's main metric of the file, on the held-out examples.
        points: percentage points of it that are lost, against the model before all steps.
        file: its path in the folder of the compression.
    """

    name: str
    meaning: str
    size: float
    latency: float
    score: float
    points: float
    file: str


@dataclasses.dataclass(frozen=True)
class Target:
    """The most that a file may have of the attributes of `Measured` with these names; None: any."""

    size: float | None = None
    latency: float | None = None
    points: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Reads the value of --target; one that is none raises `ConfigError`."""
        limits: dict[str, float] = {}
        for part in text.split(","):
            name, _, amount = map(str.strip, part.partition("="))
            match = _AMOUNT.fullmatch(amount.lower())
            units = _UNITS.get(name, {})
            if not match or match[2] not in units or name in limits:
                raise ConfigError(f"Received: --target={text}. Give {_EXAMPLES}.")
            limits[name] = float(match[1]) * units[match[2]]
            if not limits[name] and name != "points":
                raise ConfigError(f"Received: --target={text}. The {name} must be above 0.")
        return cls(**limits)

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set, by name."""
        return {name: limit for name, limit in dataclasses.asdict(self).items() if limit is not None}

    @property
    def is_of_points_alone(self) -> bool:
        """Whether neither size nor latency has a limit."""
        return self.limits.keys() <= {"points"}

    def allows(self, measured: Measured) -> bool:
        """Whether a file is within all limits."""
        return all(getattr(measured, name) <= limit for name, limit in self.limits.items())

    def ends(self, step: Sequence[Measured]) -> bool:
        """Whether further steps are of no use after the files of this one.

        With a size or a latency that is so as soon as a file has both; with points alone, when each loses more.
        """
        if self.is_of_points_alone:
            return not any(map(self.allows, step))
        return any(map(dataclasses.replace(self, points=None).allows, step))

    def choose(self, measured: Sequence[Measured]) -> tuple[Measured, bool]:
        """The file to take, and whether it is within all limits.

        Of those within them it is the one with the best score; with points alone, the fastest. If none is, it is the
        one that comes nearest to the limit that it exceeds most.
        """
        within = [one for one in measured if self.allows(one)]
        if within and self.is_of_points_alone:
            return min(within, key=lambda one: one.latency), True
        if within:
            return max(within, key=lambda one: one.score), True
        return min(measured, key=self._excess), False

    def _excess(self, measured: Measured) -> float:
        """The largest ratio of a value to its limit."""
        return max(getattr(measured, name) / max(limit, 1e-9) for name, limit in self.limits.items())


def check_forms(quantize: Sequence[str]) -> None:
    """Raises `ConfigError` unless these are `FORMS`, one at least, each once."""
    if not quantize or len(set(quantize)) < len(quantize) or not set(quantize) <= set(FORMS):
        raise ConfigError(
            f"Received: --quantize={','.join(quantize)}. Choose from {', '.join(FORMS)}, several separated by commas; "
            "int8_full, which has to be calibrated, is for bert-tf export."
        )
