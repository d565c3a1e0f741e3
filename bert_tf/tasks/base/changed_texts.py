"""Examples with changed texts and the same targets: noise to train and to measure with."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bert_tf.text.noise import NOISES, add_noise, noisy_units

# N examples

Change = Callable[[Any, np.random.Generator], Any]


def changed_texts(texts: Sequence[Sequence], model: Any, change: Change, seed: int) -> tuple[list, ...]:
    """Columns of N texts with each text changed, but for files and for those that targets quote (see `TaskSpec`)."""
    random = np.random.default_rng(seed)
    columns = []
    for name, column in zip(model.TEXTS, texts, strict=False):
        if name == model.SPEC.quoted_text or name in model.SPEC.files:
            columns.append(list(column))
        else:
            columns.append([change(text, random) for text in column])
    return tuple(columns)


def noise_of(kinds: Mapping[str, float], model: Any) -> Change:
    """The change that adds noise to a text, a list of texts or, for a tagger, a list of words.

    Args:
        kinds: {key of `NOISES`: share of the words that it changes}, applied one after the other. Those that would
            split words are left out for a model with an answer for each word.
    """
    kinds = {name: share for name, share in kinds.items() if NOISES[name].keeps_words or not model.PER_TOKEN}

    def change(text: Any, random: np.random.Generator) -> Any:
        for kind, share in kinds.items():
            text = _with_noise(text, kind, share, random, model.PER_TOKEN)
        return text

    return change


def _with_noise(text: Any, kind: str, share: float, random: np.random.Generator, words: bool) -> Any:
    if isinstance(text, str):
        return add_noise(text, kind, share, random)
    if words:
        return noisy_units(text, kind, share, random)
    return [add_noise(one, kind, share, random) for one in text]
