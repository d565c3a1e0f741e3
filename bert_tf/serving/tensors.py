"""Converts arrays from and to JSON values (REST) and TensorProtos (gRPC)."""

import base64
import binascii
import math
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.serving.servable import Signature
from bert_tf.serving.status import invalid


def from_json(value: Any, spec: tf.TensorSpec) -> np.ndarray:
    """Nested lists as an array of the dtype and shape of `spec`; strings become bytes.

    Flattens one level at a time and no more than the shape has, so deep nesting costs neither stack nor time.
    """
    flat, shape = [value], []
    while isinstance(flat[0], list):
        size, items = len(flat[0]), []
        for part in flat:
            if not isinstance(part, list) or len(part) != size:
                raise invalid(
                    f"{spec.name}: rows of unequal length. All lists of one depth must be as long as the first."
                )
            items += part
        flat = items
        shape.append(size)
        if not flat or (spec.shape.rank is not None and len(shape) > spec.shape.rank):
            break
    _check_shape(shape, spec)
    values = [_scalar(item, spec) for item in flat]
    dtype = spec.dtype.as_numpy_dtype
    if spec.dtype == tf.string:
        dtype = object
    try:
        return np.array(values, dtype).reshape(shape)
    except (OverflowError, ValueError, TypeError) as error:
        raise invalid(f"{spec.name}: a number does not fit {spec.dtype.name} ({error}).") from error


def to_json(value: np.ndarray, name: str = "") -> Any:
    """An array as nested lists; strings as text, or as {"b64": ...} if they are not UTF-8 or `name` ends in _bytes."""
    if value.dtype != object:
        return value.tolist()
    strings = [_string_to_json(item, name.endswith("_bytes")) for item in value.flat]
    nested = np.empty(len(strings), object)  # filled afterwards, because np.array would look into the dicts
    nested[:] = strings
    return nested.reshape(value.shape).tolist()


def from_protos(protos: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    """{name: TensorProto} as arrays for `signature`: every input, with its dtype and shape."""
    check_names(protos, signature)
    return {name: _from_proto(protos[name], spec) for name, spec in signature.inputs.items()}


def to_protos(arrays: Mapping[str, np.ndarray], signature: Signature) -> dict[str, Any]:
    """Outputs as {name: TensorProto}."""
    return {name: tf.make_tensor_proto(value, signature.outputs[name].dtype) for name, value in arrays.items()}


def check_names(given: Iterable[str], signature: Signature) -> None:
    """Raises INVALID_ARGUMENT unless the names are those of the signature's inputs."""
    if set(given) != set(signature.inputs):
        received = ", ".join(sorted(map(str, given))) or "none"
        wanted = ", ".join(sorted(signature.inputs))
        raise invalid(f"Received inputs: {received[:500]}. The signature {signature.name} takes {wanted}.")


def bytes_of(value: Any) -> bytes:
    """The bytes of a JSON string, or of a {"b64": ...} object."""
    if isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise invalid(f"Received a b64 value that is not base64: {reprlib.repr(value['b64'])}") from error
    if isinstance(value, str):
        return value.encode()
    raise invalid(f"Received: {reprlib.repr(value)}. Expected a string.")


def _scalar(item: Any, spec: tf.TensorSpec) -> Any:
    if spec.dtype == tf.string:
        return bytes_of(item)
    kinds: tuple[type, ...] = (int, float)
    if spec.dtype == tf.bool:
        kinds = (bool,)
    elif spec.dtype.is_integer:
        kinds = (int,)
    # Not isinstance: a bool is an int in Python.
    if type(item) not in kinds:
        raise invalid(f"{spec.name}: received {reprlib.repr(item)}, expected a value of type {spec.dtype.name}.")
    return item


def _check_shape(shape: Sequence[int], spec: tf.TensorSpec) -> None:
    if not spec.shape.is_compatible_with(shape):
        raise invalid(f"{spec.name}: received the shape {shape}, expected {spec.shape}.")


def _from_proto(proto: Any, spec: tf.TensorSpec) -> np.ndarray:
    if proto.dtype != spec.dtype.as_datatype_enum:
        raise invalid(f"{spec.name}: received {_type_name(proto.dtype)}, expected {spec.dtype.name}.")
    shape = [dim.size for dim in proto.tensor_shape.dim]
    unknown = proto.tensor_shape.unknown_rank or min(shape, default=0) < 0
    # A proto of a few bytes may have any shape: make_ndarray repeats its last value.
    largest = max(proto.ByteSize(), 1 << 20)
    if unknown or math.prod(shape) > largest:
        raise invalid(f"{spec.name}: received the shape {shape} with {proto.ByteSize()} bytes.")
    _check_shape(shape, spec)
    try:
        return tf.make_ndarray(proto)
    except (ValueError, TypeError) as error:
        raise invalid(f"{spec.name}: the values of the tensor do not fit its shape {shape}.") from error


def _type_name(number: int) -> str:
    try:
        return tf.as_dtype(number).name
    except TypeError:  # 0 in a proto without a type, or a number that no type has
        return f"a tensor of the unknown type {number}"


def _string_to_json(item: bytes, binary: bool) -> str | dict[str, str]:
    if not binary:
        try:
            return item.decode()
        except UnicodeDecodeError:  # sent as base64, as TF Serving does
            pass
    return {"b64": base64.b64encode(item).decode()}
