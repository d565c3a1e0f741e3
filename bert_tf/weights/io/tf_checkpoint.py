"""TensorFlow's checkpoint files (PREFIX.index, PREFIX.data-*): tensors by name, or by path in a graph of objects."""

import contextlib
import functools
import glob
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bert_tf.core import files
from bert_tf.core.errors import InputError
from bert_tf.weights.io.stored_array import StoredArray, written

GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


def find(folder: Path) -> str | None:
    """The prefix of the checkpoint in `folder`, None without one; of several, the latest in the file "checkpoint"."""
    found = sorted(str(path).removesuffix(".index") for path in folder.glob("*.index"))
    if not found:
        return None
    if len(found) == 1:
        return found[0]
    import tensorflow as tf

    if (folder / "checkpoint").exists():
        files.check_regular(folder / "checkpoint")
    latest = tf.train.latest_checkpoint(str(folder))
    if latest not in found:
        raise InputError(f"{folder} has {len(found)} checkpoints. Leave one of them: {', '.join(found)}")
    return latest


def has_objects(prefix: str) -> bool:
    """Whether the checkpoint was written by `tf.train.Checkpoint`, and not by name as TensorFlow 1 did."""
    import tensorflow as tf

    with _clear_errors(prefix):
        return GRAPH in tf.train.load_checkpoint(prefix).get_variable_to_shape_map()


def stored(prefix: str) -> dict[str, StoredArray]:
    """The float tensors of the checkpoint by name; a missing, cut or corrupt file raises `InputError`."""
    import tensorflow as tf

    with _clear_errors(prefix):
        reader = tf.train.load_checkpoint(prefix)
        kinds, shapes = reader.get_variable_to_dtype_map(), reader.get_variable_to_shape_map()
        found = {}
        declared = 0
        for name, kind in kinds.items():
            if kind.is_floating:
                declared += math.prod(shapes[name]) * kind.size
                read = functools.partial(_read, prefix, reader, name)
                found[name] = StoredArray(tuple(shapes[name]), kind.name, read)
        if declared > sum(path.stat().st_size for path in _files(prefix, "data-*")):
            raise ValueError(f"the index declares {declared} bytes of tensors, more than the data files have")
    return found


def stored_objects(prefix: str, paths: Iterable[str]) -> dict[str, StoredArray]:
    """The float tensors at `paths`, by path, and all others by their name in the file.

    A path is a chain of attributes from the root, joined by "/"; one variable can have several.
    """
    tensors = stored(prefix)
    graph = _graph(prefix)
    found, used = {}, set()
    for path in paths:
        key = _key_at(graph, path)
        if key in tensors:
            found[path] = tensors[key]
            used.add(key)
    # All others too, under the names in the file: the caller has to account for every one.
    for name, tensor in tensors.items():
        if name not in used:
            found[name] = tensor
    return found


def write_names(prefix: str | Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes `tensors`, name to array, as TensorFlow 1's Saver does."""
    import tensorflow as tf

    with written(prefix, tf.errors.OpError):
        tf.raw_ops.SaveV2(
            prefix=str(prefix),
            tensor_names=list(tensors),
            shape_and_slices=[""] * len(tensors),
            tensors=[tf.constant(tensor) for tensor in tensors.values()],
        )


def write_objects(
    prefix: str | Path, tensors: Mapping[str, np.ndarray], shared: Mapping[str, str], empty: Iterable[str]
) -> None:
    """Writes a checkpoint as `tf.train.Checkpoint.save` does.

    Args:
        prefix: path of its files without their endings.
        tensors: {path: array}.
        shared: {another path of a variable: its path in `tensors`}.
        empty: paths of objects without variables, which a strict restore needs too.
    """
    import tensorflow as tf

    root = tf.train.Checkpoint()
    for path, array in tensors.items():
        _attach(root, path, tf.Variable(array))
    for path, original in shared.items():
        _attach(root, path, _object_at(root, original))
    for path in empty:
        _object_at(root, path)
    with written(prefix, tf.errors.OpError):
        root.save(str(prefix))


def _files(prefix: str, ending: str) -> Iterator[Path]:
    return Path(prefix).parent.glob(f"{glob.escape(Path(prefix).name)}.{ending}")


@contextlib.contextmanager
def _clear_errors(prefix: str) -> Iterator[None]:
    import tensorflow as tf

    for path in _files(prefix, "*"):
        files.check_regular(path)
    try:
        yield
    # TensorFlow's reader raises each of these for a damaged file.
    except (tf.errors.OpError, RuntimeError, ValueError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{prefix}.* cannot be read, are the files whole? {reason}") from None


def _read(prefix: str, reader: Any, name: str) -> np.ndarray:
    with _clear_errors(prefix):
        return reader.get_tensor(name)


def _graph(prefix: str) -> Any:
    import tensorflow as tf
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    with _clear_errors(prefix):
        return TrackableObjectGraph.FromString(tf.train.load_checkpoint(prefix).get_tensor(GRAPH))


def _key_at(graph: Any, path: str) -> str | None:
    """The name in the file of the variable at `path`, None without one."""
    node = graph.nodes[0]
    for part in path.split("/"):
        children = {child.local_name: child.node_id for child in node.children}
        if part not in children:
            return None
        node = graph.nodes[children[part]]
    if not node.attributes:  # an object without a value
        return None
    return node.attributes[0].checkpoint_key


def _object_at(root: Any, path: str) -> Any:
    """The object at `path` below `root`; objects on the way that are not there are made."""
    import tensorflow as tf

    for part in path.split("/"):
        if not hasattr(root, part):
            setattr(root, part, tf.Module())
        root = getattr(root, part)
    return root


def _attach(root: Any, path: str, item: Any) -> None:
    parent, _, name = path.rpartition("/")
    setattr(_object_at(root, parent), name, item)
