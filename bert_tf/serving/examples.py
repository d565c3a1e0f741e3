"""Classify and Regress: tf.Examples in, classes with scores or values out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.serving.servable import Signature
from bert_tf.serving.status import invalid
from bert_tf.serving.tensors import bytes_of


def from_json(body: Mapping[str, Any]) -> list[bytes]:
    """Serialized tf.Examples of {"examples": [{feature: value or list}], "context": {features of all examples}}."""
    rows, context = body.get("examples"), body.get("context", {})
    if not isinstance(rows, list) or not isinstance(context, dict):
        raise invalid('Expected {"examples": [{...}, ...]}, optionally with "context": {...}.')
    return _merge_all(_example(context), map(_example, rows))


def from_input(proto: Any) -> list[bytes]:
    """Serialized tf.Examples of an `Input` proto."""
    kind = proto.WhichOneof("kind")
    if kind == "example_list":
        return [example.SerializeToString() for example in proto.example_list.examples]
    if kind == "example_list_with_context":
        listed = proto.example_list_with_context
        return _merge_all(listed.context, listed.examples)
    raise invalid("Received an input without examples.")


def inputs(serialized: Sequence[bytes], signature: Signature) -> dict[str, np.ndarray]:
    """The only input of a signature that parses examples: {name: object array [N]}."""
    specs = list(signature.inputs.values())
    if len(specs) != 1 or specs[0].dtype != tf.string or not set(signature.outputs) <= {"classes", "scores", "outputs"}:
        raise invalid(
            f"The signature {signature.name} takes {', '.join(signature.inputs)} and returns "
            f"{', '.join(signature.outputs)}. Classify and Regress need one that takes serialized tf.Examples and "
            "returns classes and scores, or outputs; name it as signature_name."
        )
    return {specs[0].name: np.array(serialized, object)}


def classifications(outputs: Mapping[str, np.ndarray], rows: int) -> list[list[tuple[str, float]]]:
    """[(label, score), ...] of each row, from "classes" [N, C], "scores" [N, C] or both."""
    labels, scores = outputs.get("classes"), outputs.get("scores")
    # As in TF Serving, the output that a signature lacks is "" or 0 for each class.
    if labels is None and scores is not None:
        labels = np.full(scores.shape, b"", object)
    if scores is None and labels is not None:
        scores = np.zeros(labels.shape)
    for value in (labels, scores):
        if value is None or value.ndim != 2 or len(value) != rows:
            raise invalid("Classify needs a signature with outputs classes or scores, each [rows, classes].")
    answers = []
    for row_labels, row_scores in zip(labels, scores, strict=True):  # [C] each
        row = []
        for label, score in zip(row_labels, row_scores, strict=True):
            row.append((label.decode(errors="replace"), float(score)))
        answers.append(row)
    return answers


def regressions(outputs: Mapping[str, np.ndarray], rows: int) -> list[float]:
    """The value of each row, from "outputs" [N] or [N, 1]."""
    value = outputs.get("outputs")
    if value is None or value.shape not in ((rows,), (rows, 1)):
        raise invalid("Regress needs a signature with the output outputs, [rows] or [rows, 1].")
    return [float(item) for item in value.flat]


def _example(features: Any) -> tf.train.Example:
    if not isinstance(features, dict):
        raise invalid("Every example is an object {feature: value or list}.")
    parsed = {name: _feature(name, value) for name, value in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=parsed))


def _feature(name: str, value: Any) -> tf.train.Feature:
    """A feature whose type is that of its values, as in TF Serving: int64 for integers, float for a mix, else bytes."""
    values = value if isinstance(value, list) else [value]
    kinds = set(map(type, values))
    try:
        if kinds == {int}:
            return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        if kinds <= {int, float}:  # an empty list too
            return tf.train.Feature(float_list=tf.train.FloatList(value=values))
        strings = list(map(bytes_of, values))
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=strings))
    except (ValueError, OverflowError) as error:
        raise invalid(f"The feature {name[:100]!r} does not fit: {error}") from error


def _merge_all(context: tf.train.Example, examples: Iterable[tf.train.Example]) -> list[bytes]:
    return [_merge(context, example, row) for row, example in enumerate(examples)]


def _merge(context: tf.train.Example, example: tf.train.Example, row: int) -> bytes:
    """The serialized example with the features of the context."""
    if both := set(context.features.feature) & set(example.features.feature):
        raise invalid(f"Example {row} and the context both have the feature {min(both)[:100]!r}.")
    merged = tf.train.Example()
    merged.CopyFrom(context)
    merged.MergeFrom(example)
    return merged.SerializeToString()
