"""Floating-point operations of a training step, to measure how well a machine is used."""

from typing import Any


def step_flops(config: Any, rows: int, length: int, predictions: int = 0, queries: int | None = None) -> int:
    """Floating-point operations of the matrix products in one step, forward and backward (three times forward).

    Args:
        config: the encoder's config, such as `BertConfig`.
        rows, length: shape of the batch, including padding, which is computed too.
        predictions: positions per row at which the masked LM scores the vocabulary.
        queries: positions per row that the last block computes; None: all.
    """
    # Multiply-adds; each is two operations.
    hidden = config.hidden_size
    feed_forward = getattr(config, "intermediate_size", 0)  # families without a feed-forward network have none
    key_value = 2 * hidden * hidden  # per position
    # Per position too: query and output projection, attention over the row, feed-forward network.
    query = 2 * hidden * hidden + 2 * length * hidden + 2 * hidden * feed_forward
    head = hidden * hidden + hidden * config.vocab_size  # per prediction
    if queries is None:
        queries = length
    positions = (config.num_layers - 1) * length + min(queries, length)
    row = config.num_layers * length * key_value + positions * query
    return 6 * rows * (row + predictions * head)
