"""Vectors of any source, such as a sensor: NumPy's .npy files of float32 [T, F], read without pickle."""

import io

import numpy as np
import tensorflow as tf

from bert_tf.core.errors import InputError

# N files, T vectors of a file, F numbers of a vector

_MAGIC = b"\x93NUMPY\x01\x00"  # version 1.0 of the format, which numpy.save writes
_ADVICE = 'Write it by numpy.save(path, vectors.astype("float32")).'


def check_vectors(content: bytes, size: int) -> None:
    """Raises `InputError`, a predicate about the file, unless it holds finite float32 [T, `size`], T at least 1."""
    if not content.startswith(_MAGIC):
        raise InputError(f"is no .npy file of version 1.0; it begins with {content[:8]!r}. {_ADVICE}")
    try:
        stream = io.BytesIO(content[len(_MAGIC) :])
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    except ValueError:
        raise InputError(f"has no header that NumPy can read: it is damaged. {_ADVICE}") from None
    if dtype != np.dtype("<f4") or is_fortran:
        order = "in Fortran order" if is_fortran else "in C order"
        raise InputError(f"holds {dtype} {order}; it must be float32 in C order. {_ADVICE}")
    if len(shape) != 2 or shape[1] != size or not shape[0]:
        raise InputError(f"has shape {shape}; the model reads [T, {size}] with T at least 1.")
    data = stream.read()
    if len(data) != 4 * shape[0] * size:
        raise InputError(f"has {len(data):,} bytes of numbers; its shape {shape} needs {4 * shape[0] * size:,}.")
    if not np.isfinite(np.frombuffer(data, "<f4")).all():
        raise InputError("has numbers that are not finite.")


def decode_vectors(contents: tf.Tensor, size: int, length: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Contents of .npy files, string [N], as vectors; TensorFlow ops only. What is beyond `length` is cut.

    Returns:
        float32 [N, length, size], padded with 0, and int32 [N]: the vectors that each has, 0 for "". Contents that
        `check_vectors` refuses fail with INVALID_ARGUMENT, but for numbers that are not finite.
    """

    def decode(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        start = tf.cast(tf.io.decode_raw(tf.strings.substr(content, 8, 2), tf.uint16)[0], tf.int32) + 10
        header = tf.strings.substr(content, 10, start - 10)
        shape = rf"\{{'descr': '<f4', 'fortran_order': False, 'shape': \([1-9][0-9]*, {size}\), \}}\s*"
        is_right = (tf.strings.substr(content, 0, 8) == _MAGIC) & tf.strings.regex_full_match(header, shape)
        check = tf.debugging.Assert(is_right, [f"The file is no .npy of float32 [T, {size}]:", header])
        with tf.control_dependencies([check] if check is not None else []):
            numbers = tf.io.decode_raw(tf.strings.substr(content, start, -1), tf.float32)
        vectors = tf.reshape(numbers, [-1, size])[:length]
        count = tf.shape(vectors)[0]
        return tf.pad(vectors, [[0, length - count], [0, 0]]), count

    def decode_or_empty(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        empty = tf.zeros([length, size]), tf.constant(0)
        return tf.cond(tf.strings.length(content) > 0, lambda: decode(content), lambda: empty)

    specs = tf.TensorSpec([length, size], tf.float32), tf.TensorSpec([], tf.int32)
    return tf.map_fn(decode_or_empty, contents, fn_output_signature=specs)


def npy(vectors: np.ndarray) -> bytes:
    """The contents of a .npy file of vectors [T, F]."""
    stream = io.BytesIO()
    np.save(stream, np.asarray(vectors, "<f4"), allow_pickle=False)
    return stream.getvalue()
