"""Data sets of TensorFlow Datasets, by name."""

from collections.abc import Iterator
from typing import Any

from bert_tf.core.errors import ConfigError, InputError

PREFIX = "tfds:"


def read_tfds(name: str) -> Iterator[tuple[str, dict]]:
    """Streams (place, {feature: value}) of "tfds:NAME:SPLIT", such as "tfds:glue/sst2:train"; classes are names.

    A data set that is not in TFDS_DATA_DIR is downloaded there.

    Raises:
        ConfigError: the name has another form, or TensorFlow Datasets is not installed.
        InputError: the data set cannot be loaded.
    """
    _, *parts = name.split(":", 2)
    if len(parts) != 2:
        raise ConfigError(f"Received: {name!r}. A data set of TensorFlow Datasets is written tfds:NAME:SPLIT.")
    try:
        import tensorflow_datasets
    except ImportError:
        raise ConfigError(f"{name} needs TensorFlow Datasets: pip install tensorflow-datasets.") from None
    try:
        data, info = tensorflow_datasets.load(parts[0], split=parts[1], with_info=True)
    except Exception as error:  # unknown name, no network, no space: many types
        raise InputError(f"{name} cannot be loaded: {str(error).strip().splitlines()[0]}") from error
    for number, row in enumerate(tensorflow_datasets.as_numpy(data)):
        yield f"row {number}", {key: _plain(value, info.features[key]) for key, value in row.items()}


def _plain(value: Any, feature: Any) -> Any:
    """The value of a feature as Python strings, numbers, lists and dicts."""
    if hasattr(feature, "int2str") and value >= 0:
        return feature.int2str(int(value))
    if isinstance(value, dict):
        return {key: _plain(inner, None) for key, inner in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(item, getattr(feature, "feature", None)) for item in value]
    if isinstance(value, bytes):
        return value.decode()
    return value
