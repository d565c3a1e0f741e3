"""Floating-point operations of a training step, to measure how well a machine is used."""


def step_flops(config, rows, length, predictions=0, queries=None):
    """Floating-point operations of the matrix products in one step, forward and backward (three times forward).

    Args:
        config: the encoder's config, as `BertConfig`.
        rows, length: shape of the batch, padding included, for it is computed.
        predictions: positions a row at which the masked LM scores the vocabulary.
        queries: positions a row that the last block is asked for; None: all.
    """
    hidden = config.hidden_size
    feed_forward = getattr(config, "intermediate_size", 0)  # families without a feed-forward network have none
    looked_at = 2 * hidden * hidden  # a position: its key and value
    looking = 2 * hidden * hidden + 2 * length * hidden + 2 * hidden * feed_forward  # a position: the rest
    head = hidden * hidden + hidden * config.vocab_size  # a prediction
    last = length if queries is None else min(queries, length)
    row = config.num_layers * length * looked_at + ((config.num_layers - 1) * length + last) * looking
    return 6 * rows * (row + predictions * head)
