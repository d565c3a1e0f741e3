"""Canaries: texts with random secrets, put into training data some number of times to see what a model remembers."""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np

from bert_tf.core import files
from bert_tf.core.errors import ConfigError

SECRET = "{secret}"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"


@dataclasses.dataclass(frozen=True)
class Canary:
    """A text with a secret (Carlini et al. 2019, section 4.1).

    Attributes:
        template: the text, with "{secret}" in the place of the secret.
        secret: digits with spaces between, so that each is a token.
        repetitions: how many times it is in the training data; 0: never, for comparison.
    """

    template: str
    secret: str
    repetitions: int

    @property
    def text(self) -> str:
        """The text with its secret."""
        return self.template.replace(SECRET, self.secret)


def make_canaries(repetitions: Sequence[int], digits: int = 6, seed: int = 0) -> list[Canary]:
    """One canary for each number of repetitions, each about somebody else.

    Raises:
        ConfigError: a number of repetitions is negative, or there are no digits.
    """
    if digits < 1 or any(count < 0 for count in repetitions):
        raise ConfigError(f"Received: repetitions={list(repetitions)}, digits={digits}. Numbers are at least 0 and 1.")
    random = np.random.default_rng(seed)
    canaries = []
    for number, count in enumerate(repetitions):
        owner = f"{_LETTERS[number // 26 % 26]} {_LETTERS[number % 26]}"
        canaries.append(Canary(f"the secret number of {owner} is {SECRET} .", random_secret(digits, random), count))
    return canaries


def random_secret(digits: int, random: np.random.Generator) -> str:
    """Random digits with spaces between."""
    return " ".join(_DIGITS[digit] for digit in random.integers(10, size=digits))


def write_canaries(canaries: Sequence[Canary], path: str | os.PathLike) -> None:
    """Writes each canary as often as it says, each time as a document by itself: more text for `bert-tf records`."""
    documents = [canary.text for canary in canaries for _ in range(canary.repetitions)]
    files.write_text(path, "".join(f"{text}\n\n" for text in documents))
