"""Losses and metrics that `compile` is given by name, or of Keras's classes, for outputs that are logits."""

from collections.abc import Collection
from typing import Any

import keras

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.train_step import GlobalMean

# Keras's losses that take probabilities unless told otherwise, by the names that `compile` takes.
OF_PROBABILITIES = {
    "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
    "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
    "categorical_focal_crossentropy": keras.losses.CategoricalFocalCrossentropy,
    "binary_crossentropy": keras.losses.BinaryCrossentropy,
    "binary_focal_crossentropy": keras.losses.BinaryFocalCrossentropy,
}
CATEGORICAL = (keras.losses.CategoricalCrossentropy, keras.losses.CategoricalFocalCrossentropy)  # of one-hot targets
_METRICS_OF_PROBABILITIES = {"auc", "precision", "recall", *OF_PROBABILITIES}


def loss_of_logits(loss: Any, names: Collection[str] | None) -> Any:
    """A loss, or a nest of them, as it has to be for logits: a name becomes the loss that takes them.

    Args:
        loss: names, functions or objects; those that Keras has no `from_logits` for are returned unchanged.
        names: that fit the outputs and targets of the task; None: all but those in `OF_PROBABILITIES`.

    Raises:
        ConfigError: a name is not in `names`, or a loss takes probabilities.
    """
    if isinstance(loss, dict):
        return {name: loss_of_logits(part, names) for name, part in loss.items()}
    if isinstance(loss, list | tuple):
        return [loss_of_logits(part, names) for part in loss]
    if getattr(loss, "from_logits", True) is False:
        raise ConfigError(
            f"Received: a {type(loss).__name__} of probabilities. The model gives logits: set from_logits=True, or "
            "leave the loss out."
        )
    name = loss
    if callable(loss) and getattr(loss, "__module__", "").startswith("keras."):
        name = getattr(loss, "__name__", None)  # a function of keras.losses
    if not isinstance(name, str):
        return loss
    allowed = name not in OF_PROBABILITIES if names is None else name in names
    if not allowed:
        known = f" Losses by name: {', '.join(names)}." if names else ""
        raise ConfigError(f"Received: loss={name!r}, which is not for this model.{known} Or leave the loss out.")
    return GlobalMean(OF_PROBABILITIES[name](from_logits=True)) if name in OF_PROBABILITIES else loss


def check_metrics(metrics: Any) -> None:
    """Raises `ConfigError` for metrics, names or objects, that would take logits as probabilities."""
    for metric in keras.tree.flatten(metrics):
        name = metric if isinstance(metric, str) else getattr(metric, "name", None)
        if (isinstance(metric, str) and metric.lower() in _METRICS_OF_PROBABILITIES) or _is_of_probabilities(metric):
            raise ConfigError(
                f"Received: the metric {name!r}, which is of probabilities. The model gives logits: give a "
                "keras.metrics object with from_logits=True, or with a threshold of 0.0, or call model.score."
            )


def _is_of_probabilities(metric: Any) -> bool:
    """Whether a metric of Keras takes probabilities; its settings tell."""
    if not isinstance(metric, keras.metrics.Metric) or not type(metric).__module__.startswith("keras."):
        return False
    settings = metric.get_config()
    is_default = settings.get("thresholds", 0.0) is None or settings.get("threshold") == 0.5
    return settings.get("from_logits") is False or is_default


def check_accuracy(metrics: Any, one_hot: bool) -> None:
    """Raises `ConfigError` for Keras's accuracies of one-hot targets where they are numbers, or the other way round."""
    name, kind = "categorical_accuracy", keras.metrics.CategoricalAccuracy
    if one_hot:
        name, kind = "sparse_categorical_accuracy", keras.metrics.SparseCategoricalAccuracy
    for metric in keras.tree.flatten(metrics):
        if isinstance(metric, kind) or (isinstance(metric, str) and metric.lower() in (name, kind.__name__.lower())):
            given = "one-hot" if one_hot else "numbers of classes"
            raise ConfigError(
                f"Received: the metric {name!r}. With this loss the targets are {given}: give 'accuracy'."
            )
