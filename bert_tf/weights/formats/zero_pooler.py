"""Models without a pooler, in formats whose code does not open a file without one."""

import numpy as np

KERNEL, BIAS = "encoder/pooler/kernel", "encoder/pooler/bias"


def fill(checkpoint):
    """The weights of `checkpoint`, with a pooler of zeros where it has none, and one line that says so."""
    if KERNEL in checkpoint.weights:
        return checkpoint.weights, []
    hidden = checkpoint.encoder.hidden_size
    empty = {KERNEL: np.zeros((hidden, hidden), "float32"), BIAS: np.zeros(hidden, "float32")}
    return checkpoint.weights | empty, ["The model has no pooler, which their code asks for: one of zeros stands in."]


def drop_empty(weights):
    """`weights` without the pooler that `fill` put there."""
    if KERNEL in weights and not weights[KERNEL].any():
        return {name: array for name, array in weights.items() if name not in (KERNEL, BIAS)}
    return weights
