"""Layers of an encoder trained at rates of their own, frozen, or set free one after the other."""

import re

import keras
import numpy as np

from bert_tf.core.errors import ConfigError


def depths(variables):
    """How high each variable stands: 0 for embeddings, i + 1 for block i, and one more than all blocks for the rest.

    Returns the list of depths and the greatest possible one, that of the pooler and the heads.
    """
    blocks = [re.search(r"(?:^|/)block_(\d+)/", variable.path) for variable in variables]
    head = max((int(block[1]) for block in blocks if block), default=-1) + 2

    def depth(variable, block):
        if block:
            return int(block[1]) + 1
        return 0 if re.search(r"(?:^|/)embeddings/", variable.path) else head

    return [depth(*pair) for pair in zip(variables, blocks, strict=True)], head


def scales_by_depth(head, decay):
    """What multiplies learning rates, float32 [head + 1]: 1 for the head, and `decay` once more for each layer below.

    Howard and Ruder 2018, section 3.2; google-research/electra, model/optimization.py, takes two powers in the first
    step down.
    """
    return np.power(decay, np.arange(head, -1, -1), dtype="float32")


def layer_scales(model, decay):
    """The same by the paths of the model's trainable variables: {path: scale}."""
    heights, head = depths(model.trainable_variables)
    scales = scales_by_depth(head, decay).tolist()
    return {v.path: scales[height] for v, height in zip(model.trainable_variables, heights, strict=True)}


def freeze(model, layers, embeddings=True):
    """Keeps the first `layers` blocks of the model's encoder, and its embeddings, as they are.

    Call it before `compile`: an optimizer knows only the variables that it was built with.
    """
    encoder = getattr(model, "encoder", model)
    if not 0 <= layers <= len(encoder.blocks):
        raise ConfigError(f"Received: {layers} layers to freeze. This encoder has {len(encoder.blocks)}.")
    encoder.embeddings.trainable = not embeddings
    for i, block in enumerate(encoder.blocks):
        block.trainable = i >= layers


class GradualUnfreezing(keras.callbacks.Callback):
    """Trains what is above the encoder's blocks first, then one block more a stage, and the embeddings last.

    Howard and Ruder 2018, section 3.3; a stage is `epochs` long. The model is compiled with an optimizer of
    `make_optimizer`, which keeps what is free among its variables: nothing is traced again.
    """

    def __init__(self, epochs=1):
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch, logs=None):
        optimizer = self.model.optimizer
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of a LossScaleOptimizer
        optimizer.free_layers(epoch // self.epochs)
