"""Arrays in the two forms in which they travel: JSON values (REST) and TensorProtos (gRPC)."""

import base64
import binascii
import math
import reprlib

import numpy as np
import tensorflow as tf

from bert_tf.serving.status import invalid


def from_json(value, spec):
    """The nested lists of `value` as an array of the dtype and shape of `spec`; strings become bytes.

    Goes down one level of nesting at a time and no further than the shape allows, so no depth of nesting hurts.
    """
    flat, shape = [value], []
    while isinstance(flat[0], list):
        size = len(flat[0])
        if any(not isinstance(part, list) or len(part) != size for part in flat):
            raise invalid(f"{spec.name}: rows of unequal length. Every list of one depth must be as long as the first.")
        flat = [item for part in flat for item in part]
        shape.append(size)
        if not flat or (spec.shape.rank is not None and len(shape) > spec.shape.rank):
            break
    _check_shape(shape, spec)
    values = [_scalar(item, spec) for item in flat]
    dtype = object if spec.dtype == tf.string else spec.dtype.as_numpy_dtype
    try:
        return np.array(values, dtype).reshape(shape)
    except (OverflowError, ValueError, TypeError) as error:
        raise invalid(f"{spec.name}: a number does not fit {spec.dtype.name} ({error}).") from error


def to_json(value, name=""):
    """An array as nested lists; strings as text, or as {"b64": ...} where they are no UTF-8 or `name` says bytes."""
    if value.dtype != object:
        return value.tolist()
    strings = [_string_to_json(item, name.endswith("_bytes")) for item in value.flat]
    nested = np.empty(len(strings), object)
    nested[:] = strings
    return nested.reshape(value.shape).tolist()


def from_protos(protos, signature):
    """{name: TensorProto} as arrays for `signature`; every input must be there, in its dtype and shape."""
    check_names(protos, signature)
    return {name: _from_proto(protos[name], spec) for name, spec in signature.inputs.items()}


def to_protos(arrays, signature):
    """Arrays as {name: TensorProto}."""
    return {name: tf.make_tensor_proto(value, signature.outputs[name].dtype) for name, value in arrays.items()}


def check_names(given, signature):
    """Raises INVALID_ARGUMENT unless the names are those of the signature's inputs."""
    if set(given) != set(signature.inputs):
        received = ", ".join(sorted(map(str, given))) or "none"
        wanted = ", ".join(sorted(signature.inputs))
        raise invalid(f"Received inputs: {received[:500]}. The signature {signature.name} takes {wanted}.")


def bytes_of(value):
    """The bytes of a JSON string, or of a {"b64": ...} object."""
    if isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise invalid(f"Received a b64 value that is no base64: {reprlib.repr(value['b64'])}") from error
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise invalid("Received a string with half of a surrogate pair; it has no UTF-8 form.") from error
    raise invalid(f"Received: {reprlib.repr(value)} where a string belongs.")


def _scalar(item, spec):
    if spec.dtype == tf.string:
        return bytes_of(item)
    kinds = (bool,) if spec.dtype == tf.bool else (int,) if spec.dtype.is_integer else (int, float)
    if type(item) not in kinds:
        raise invalid(f"{spec.name}: received {reprlib.repr(item)} where a value of type {spec.dtype.name} belongs.")
    return item


def _check_shape(shape, spec):
    if not spec.shape.is_compatible_with(shape):
        raise invalid(f"{spec.name}: received the shape {shape}, expected {spec.shape}.")


def _from_proto(proto, spec):
    if proto.dtype != spec.dtype.as_datatype_enum:
        raise invalid(f"{spec.name}: received {tf.as_dtype(proto.dtype).name}, expected {spec.dtype.name}.")
    shape = [dim.size for dim in proto.tensor_shape.dim]
    # A proto of a few bytes may claim any shape: its one value is then repeated.
    if (
        proto.tensor_shape.unknown_rank
        or min(shape, default=0) < 0
        or math.prod(shape) > max(proto.ByteSize(), 1 << 20)
    ):
        raise invalid(f"{spec.name}: received the shape {shape} with {proto.ByteSize()} bytes.")
    _check_shape(shape, spec)
    try:
        return tf.make_ndarray(proto)
    except (ValueError, TypeError) as error:
        raise invalid(f"{spec.name}: the tensor does not hold what its shape {shape} says.") from error


def _string_to_json(item, binary):
    if not binary:
        try:
            return item.decode()
        except UnicodeDecodeError:
            pass
    return {"b64": base64.b64encode(item).decode()}
