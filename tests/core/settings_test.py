"""Values that a setting does not allow are refused wherever its dataclass is made; the list of settings is complete."""

import dataclasses

import pytest

from bert_tf.core.config import override
from bert_tf.core.errors import ConfigError
from bert_tf.core.settings import Settings, rows_of, setting


@dataclasses.dataclass(frozen=True)
class Part(Settings):
    rate: float | None = setting(0.5, "of the part", above=0, most=1)
    sizes: tuple[int, ...] = setting((), "of its rows", least=1)


@dataclasses.dataclass(frozen=True)
class Whole(Settings):
    seed: int = setting(0, "random seed", least=0, most=2**40)
    kind: str = setting("a", "of the whole", choices=("a", "b"))
    free: float = 0.0
    part: Part = Part()


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("seed=-1", "Received: seed=-1. seed must be at least 0 and at most 1,099,511,627,776."),
        ("seed=1099511627777", "seed must be at least 0"),
        ("seed=0x" + "f" * 5000, r"Received: '0xf+\.\.\.: Exceeds the limit \(4300 digits\)"),
        ("kind='c'", "Received: kind='c'. kind must be one of a, b."),
        ("free=nan", "Received: free=nan. free must be a finite number."),
        ("free=-inf", "free must be a finite number"),
        ("free=1e39", "free must be at most 1e"),
        ("part.rate=nan", "rate must be above 0 and at most 1."),
        ("part.rate=0", "rate must be above 0"),
        ("part.rate=1.5", "rate must be above 0 and at most 1."),
        ("part.sizes=[8, 0]", "Received: sizes=0. sizes must be at least 1."),
        ("part.sizes=[2147483648]", "sizes must be at least 1 and at most 2,147,483,647."),
    ],
)
def test_what_is_not_allowed_is_refused(assignment, message):
    with pytest.raises(ConfigError, match=message):
        override(Whole(), [assignment])


def test_bounds_belong_to_the_range():
    whole = override(Whole(), ["seed=1099511627776", "kind=b", "free=-1e38", "part.rate=1", "part.sizes=[1]"])
    assert whole == Whole(2**40, "b", -1e38, Part(1.0, (1,)))
    assert override(Whole(), ["part.rate=none"]).part.rate is None


def test_rows_name_type_default_range_and_meaning():
    assert rows_of(Whole)[0] == ("seed", "0", "integer, at least 0 and at most 1,099,511,627,776", "random seed")
    assert rows_of(Whole)[1:] == [
        ("kind", '"a"', "text, one of a, b", "of the whole"),
        ("free", "0.0", "number", ""),
        ("part.rate", "0.5", "number, above 0 and at most 1", "of the part"),
        ("part.sizes", "[]", "list of integers, at least 1", "of its rows"),
    ]
