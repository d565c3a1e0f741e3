"""A pooler of zeros, for models without a pooler in formats that need one."""

from collections.abc import Mapping

import numpy as np

from bert_tf.weights.checkpoint import Checkpoint

KERNEL, BIAS = "encoder/pooler/kernel", "encoder/pooler/bias"


def fill(checkpoint: Checkpoint) -> tuple[dict[str, np.ndarray], list[str]]:
    """The weights of `checkpoint`, with a pooler of zeros if it has none, and one line that says so."""
    if KERNEL in checkpoint.weights:
        return checkpoint.weights, []
    hidden = checkpoint.encoder.hidden_size
    empty = {KERNEL: np.zeros((hidden, hidden), "float32"), BIAS: np.zeros(hidden, "float32")}
    return checkpoint.weights | empty, [
        "The model has no pooler, which their code needs: a pooler of zeros was written."
    ]


def drop_empty(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`weights` without the pooler that `fill` put there."""
    kept = dict(weights)
    if KERNEL in weights and not weights[KERNEL].any():
        del kept[KERNEL]
        kept.pop(BIAS, None)
    return kept
