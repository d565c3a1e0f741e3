"""Classify and Regress: tf.Examples in, classes with scores or values out."""

from collections.abc import Mapping, Sequence
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
    shared = _example(context)
    return [_merge(shared, _example(row), number) for number, row in enumerate(rows)]


def from_input(proto: Any) -> list[bytes]:
    """Serialized tf.Examples of an `Input` proto."""
    kind = proto.WhichOneof("kind")
    if kind == "example_list":
        return [example.SerializeToString() for example in proto.example_list.examples]
    if kind == "example_list_with_context":
        listed = proto.example_list_with_context
        return [_merge(listed.context, example, row) for row, example in enumerate(listed.examples)]
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
    given = {name: outputs[name] for name in ("classes", "scores") if name in outputs}
    if not given or any(value.ndim != 2 or len(value) != rows for value in given.values()):
        raise invalid("Classify needs a signature with outputs classes or scores, each [rows, classes].")
    count = next(iter(given.values())).shape[1]
    labels = given.get("classes", np.full((rows, count), b"", object))
    scores = given.get("scores", np.zeros((rows, count)))
    return [
        [(label.decode(errors="replace"), float(score)) for label, score in zip(*row, strict=True)]
        for row in zip(labels, scores, strict=True)
    ]


def regressions(outputs: Mapping[str, np.ndarray], rows: int) -> list[float]:
    """The value of each row, from "outputs" [N] or [N, 1]."""
    value = outputs.get("outputs")
    if value is None or value.shape not in ((rows,), (rows, 1)):
        raise invalid("Regress needs a signature with the output outputs, [rows] or [rows, 1].")
    return [float(item) for item in value.flat]


def _example(features: Any) -> tf.train.Example:
    if not isinstance(features, dict):
        raise invalid("Every example is an object {feature: value or list}.")
    return tf.train.Example(
        features=tf.train.Features(feature={name: _feature(name, value) for name, value in features.items()})
    )


def _feature(name: str, value: Any) -> tf.train.Feature:
    values = value if isinstance(value, list) else [value]
    kinds = {type(item) for item in values}
    try:
        if kinds == {int}:
            return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        if kinds <= {int, float}:
            return tf.train.Feature(float_list=tf.train.FloatList(value=values))
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[bytes_of(item) for item in values]))
    except (ValueError, OverflowError) as error:
        raise invalid(f"The feature {name[:100]!r} does not fit: {error}") from error


def _merge(context: tf.train.Example, example: tf.train.Example, row: int) -> bytes:
    """The serialized example with the features of the context."""
    if both := set(context.features.feature) & set(example.features.feature):
        raise invalid(f"Example {row} and the context both have the feature {min(both)[:100]!r}.")
    merged = tf.train.Example()
    merged.CopyFrom(context)
    merged.MergeFrom(example)
    return merged.SerializeToString()
