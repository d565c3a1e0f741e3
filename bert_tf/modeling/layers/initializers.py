"""The initializer of BERT's weights: a normal distribution cut at two standard deviations."""

import keras


def truncated_normal(stddev: float) -> keras.initializers.Initializer:
    """A new truncated normal initializer; each weight needs its own, or weights of one shape would be equal."""
    return keras.initializers.TruncatedNormal(stddev=stddev)
