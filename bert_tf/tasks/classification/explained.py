"""The output of a classifier that is attributed to words: the logit of a class."""

from typing import Any

import tensorflow as tf

from bert_tf.tasks.base.explained import Explained, check_label


def explained(model: Any, inputs: dict[str, tf.Tensor], outputs: tf.Tensor, label: str | None) -> Explained:
    """The logit of `label`, or of the class with the highest one; arguments as for `explained_of`."""
    del inputs
    check_label(label, model.labels)
    number = model.labels.index(label) if label else int(tf.argmax(outputs[0]))
    return Explained(model.labels[number], lambda logits: logits[:, number])
