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
    head = hidden * hidden + hidden * config.vocab_size  # per prediction
    row = 0
    for layer in range(config.num_layers):
        is_last = layer == config.num_layers - 1
        positions = length if queries is None or not is_last else min(queries, length)
        attention, feed_forward = config.layer_widths(layer)
        key_value = 2 * hidden * attention  # per position
        # Per position too: query and output projection, attention over the row, feed-forward network.
        query = 2 * hidden * attention + 2 * length * attention + 2 * hidden * feed_forward
        row += length * key_value + positions * query
    return 6 * rows * (row + predictions * head)
