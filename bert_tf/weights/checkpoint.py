"""What every format is read into and written from: settings, vocabulary, and weights by bert_tf's names."""

import dataclasses

import numpy as np

from bert_tf.core.config import EncoderConfig, TextConfig


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A model without Keras: arrays in numpy, so that a conversion builds no model.

    `weights` maps names like "encoder/block_0/attention/query/kernel" to arrays; `task` holds the settings of the
    head, {} for an encoder or pretrainer; `vocabulary` is None where the folder has none.
    """

    encoder: EncoderConfig
    weights: dict[str, np.ndarray]
    text: TextConfig = TextConfig()
    vocabulary: list[str] | None = None
    task: dict = dataclasses.field(default_factory=dict)
