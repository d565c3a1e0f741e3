"""How BERT's weights start: a normal distribution cut at two standard deviations."""

import keras


def truncated_normal(stddev):
    """A new truncated normal initializer; each weight needs one of its own, or equal shapes would start equal."""
    return keras.initializers.TruncatedNormal(stddev=stddev)
