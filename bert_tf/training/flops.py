"""Arithmetic of a training step, to tell how well a machine is used."""


def step_flops(config, rows, length, predictions):
    """Floating-point operations of the matrix products in one step, forward and backward (three times forward).

    Args:
        config: the `EncoderConfig`.
        rows, length: shape of the batch, padding included, for it is computed.
        predictions: positions a row at which the masked LM scores the vocabulary.
    """
    hidden, tokens = config.hidden_size, rows * length
    block = 4 * hidden * hidden + 2 * hidden * config.intermediate_size + 2 * length * hidden  # a token
    head = hidden * hidden + hidden * config.vocab_size  # a prediction
    return 6 * (config.num_layers * tokens * block + rows * predictions * head)
