"""A pooler of zeros, for models without a pooler in formats that need one."""

from collections.abc import Mapping

import numpy as np

from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.weight_table import Row

KERNEL, BIAS = "encoder/pooler/kernel", "encoder/pooler/bias"


def fill(checkpoint: Checkpoint, rows: list[Row]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The weights of `checkpoint`, with a pooler of zeros where it lacks one of `rows`, and one line that says so."""
    if KERNEL in checkpoint.weights or all(row.ours != KERNEL for row in rows):
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
