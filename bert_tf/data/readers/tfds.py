"""Data sets of TensorFlow Datasets, by name."""

from bert_tf.core.errors import ConfigError, InputError

PREFIX = "tfds:"


def read_tfds(name, bad):
    """Streams (place, {feature: value}) of "tfds:NAME:SPLIT", as "tfds:glue/sst2:train"; classes come by their names.

    It is downloaded where it is not there yet; TFDS_DATA_DIR says where that is.
    """
    del bad  # what is in there is whole
    _, *parts = name.split(":", 2)
    if len(parts) != 2:
        raise ConfigError(f"Received: {name!r}. A data set of TensorFlow Datasets is written tfds:NAME:SPLIT.")
    try:
        import tensorflow_datasets
    except ImportError:
        raise ConfigError(f"{name} needs TensorFlow Datasets: pip install tensorflow-datasets.") from None
    try:
        data, info = tensorflow_datasets.load(parts[0], split=parts[1], with_info=True)
    except Exception as error:  # a name it does not know, no network, no space: of many kinds, all the user's to mend
        raise InputError(f"{name} cannot be loaded: {str(error).strip().splitlines()[0]}") from error
    for number, row in enumerate(tensorflow_datasets.as_numpy(data)):
        yield f"row {number}", {key: _plain(value, info.features[key]) for key, value in row.items()}


def _plain(value, feature):
    if hasattr(feature, "int2str") and value >= 0:
        return feature.int2str(int(value))
    if isinstance(value, dict):
        return {key: _plain(inner, None) for key, inner in value.items()}
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list):
        return [_plain(item, getattr(feature, "feature", None)) for item in value]
    return value.decode() if isinstance(value, bytes) else value
