"""The weights, settings and vocabulary of a model, as every format is read into and written from."""

import dataclasses
from typing import Any

import numpy as np

from bert_tf.core.config import TextConfig


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A model without Keras: weights are numpy arrays, so that a conversion builds no model.

    Attributes:
        family: name of the encoder family.
        encoder: the encoder's config, of the family's config class.
        weights: {name: float32 array}, named like "encoder/block_0/attention/query/kernel".
        text: how text is split into tokens.
        vocabulary: the tokens by id, a `Vocabulary` where they do not define the tokenizer; None where the folder has
            none.
        task: settings of the head; {} for an encoder or a pretrainer.
        decoder: the config of a decoder with weights of its own, of the same class as `encoder`; None for none.
    """

    family: str
    encoder: Any
    weights: dict[str, np.ndarray]
    text: TextConfig = TextConfig()
    vocabulary: list[str] | None = None
    task: dict[str, Any] = dataclasses.field(default_factory=dict)
    decoder: Any = None
