"""Settings of a search, named as in transformers."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from bert_tf.core.errors import ConfigError, did_you_mean


@dataclasses.dataclass(frozen=True)
class GenerationConfig:
    """How the tokens of a target are chosen; a value that cannot be raises `ConfigError`.

    Attributes:
        num_beams: 1: the most likely token each time (greedy), or a drawn one; more: beam search.
        max_length: tokens of a target, the start token included.
        min_length: the end token is not chosen before.
        length_penalty: the score of a finished beam is its log probability / (number of its tokens ^ this).
        no_repeat_ngram_size: no n tokens in a row occur twice; 0: any may.
        early_stopping: True: a source is done when it has `num_beams` finished targets; False: when no better one is
            likely; "never": when no better one is possible.
        temperature, top_k, top_p: another value than the default of one of them, or a `seed`, says that tokens are
            drawn: from the softmax of logits / `temperature`, the `top_k` most likely tokens (0: all), and of these the
            fewest that have a probability of `top_p` together.
        seed: of the draws, a whole number from 0 to 2^31 - 1; None: other ones at each call. In a graph it may be a
            tensor, int32 [].
    """

    num_beams: int = 1
    max_length: int = 20
    min_length: int = 0
    length_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    early_stopping: bool | str = True
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: Any = None

    def changed(self, settings: Mapping[str, Any]) -> "GenerationConfig":
        """A copy with other `settings`; None leaves one as it is, an unknown name raises `ConfigError`."""
        known = dataclasses.asdict(self)
        for name, value in settings.items():
            if name not in known:
                raise ConfigError(f"Received: {name}={value!r}. {did_you_mean(name, known, 'Known keys')}")
        given = {name: value for name, value in settings.items() if value is not None}
        return dataclasses.replace(self, **given)

    @property
    def draws(self) -> bool:
        """Whether tokens are drawn."""
        return self.num_beams == 1 and (self.seed is not None or self._changes_distribution)

    @property
    def _changes_distribution(self) -> bool:
        return (self.temperature, self.top_k, self.top_p) != (1.0, 0, 1.0)

    def __post_init__(self) -> None:
        least = {"num_beams": 1, "max_length": 2, "min_length": 0, "no_repeat_ngram_size": 0, "top_k": 0}
        for name, smallest in least.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < smallest:
                raise ConfigError(f"Received: {name}={value!r}. It must be a whole number of at least {smallest}.")
        if self.min_length > self.max_length:
            raise ConfigError(
                f"Received: min_length={self.min_length}. It must be at most max_length={self.max_length}."
            )
        if not 0 < self.temperature < float("inf"):
            raise ConfigError(
                f"Received: temperature={self.temperature}. It must be above 0; greedy search needs none."
            )
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"Received: top_p={self.top_p}. It must be above 0 and at most 1.")
        if not abs(self.length_penalty) < float("inf"):
            raise ConfigError(f"Received: length_penalty={self.length_penalty}. It must be a finite number.")
        if self.early_stopping not in (True, False, "never"):
            raise ConfigError(f'Received: early_stopping={self.early_stopping!r}. It must be True, False or "never".')
        if self.num_beams > 1 and self._changes_distribution:
            raise ConfigError(
                f"Received: num_beams={self.num_beams} with temperature, top_k or top_p. Beam search draws nothing: "
                "give num_beams=1, or leave them out."
            )
