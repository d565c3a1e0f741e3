"""TensorFlow's checkpoint files (PREFIX.index, PREFIX.data-*): tensors by name, or by path in a graph of objects."""

import contextlib

from bert_tf.core.errors import InputError

GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


def find(folder):
    """The prefix of the checkpoint in `folder`, None without one; of several, the latest in the file "checkpoint"."""
    found = sorted(str(path).removesuffix(".index") for path in folder.glob("*.index"))
    if len(found) < 2:
        return found[0] if found else None
    import tensorflow as tf

    latest = tf.train.latest_checkpoint(str(folder))
    if latest is None:
        raise InputError(f"{folder} has {len(found)} checkpoints. Leave one of them: {', '.join(found)}")
    return latest


def has_objects(prefix):
    """Whether the checkpoint was written by `tf.train.Checkpoint`, and not by name as TensorFlow 1 did."""
    import tensorflow as tf

    with _clear_errors(prefix):
        return GRAPH in tf.train.load_checkpoint(prefix).get_variable_to_shape_map()


def read_names(prefix):
    """The float tensors of the checkpoint by name; a missing, cut or corrupt file raises `InputError`."""
    import tensorflow as tf

    with _clear_errors(prefix):
        reader = tf.train.load_checkpoint(prefix)
        kinds = reader.get_variable_to_dtype_map()
        return {name: reader.get_tensor(name) for name, kind in kinds.items() if kind.is_floating}


def read_objects(prefix, paths):
    """The float tensors that `paths` lead to, by path, and the others by their name in the file.

    A path is a chain of attributes from the root, with "/" between; one variable can be reached by several.
    """
    tensors = read_names(prefix)
    graph = _graph(prefix)
    keys = {path: key for path in paths if (key := _key_at(graph, path)) in tensors}
    found = {path: tensors[key] for path, key in keys.items()}
    return found | {name: tensor for name, tensor in tensors.items() if name not in set(keys.values())}


def write_names(prefix, tensors):
    """Writes `tensors`, name to array, as TensorFlow 1's Saver does."""
    import tensorflow as tf

    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.constant(tensor) for tensor in tensors.values()],
    )


def write_objects(prefix, tensors, shared, empty):
    """Writes `tensors`, path to array, as `tf.train.Checkpoint.save` does.

    `shared` maps further paths to that of the same variable; `empty` are paths of objects without variables, which
    their users' strict restoring asks for too.
    """
    import tensorflow as tf

    root = tf.train.Checkpoint()
    for path, array in tensors.items():
        _attach(root, path, tf.Variable(array))
    for path, original in shared.items():
        _attach(root, path, _object_at(root, original))
    for path in empty:
        _object_at(root, path)
    root.save(str(prefix))


@contextlib.contextmanager
def _clear_errors(prefix):
    import tensorflow as tf

    try:
        yield
    except (tf.errors.OpError, RuntimeError, ValueError, IndexError) as error:  # its reader raises each
        reason = str(error).splitlines()[0]
        raise InputError(f"{prefix}.* cannot be read, are the files whole? {reason}") from None


def _graph(prefix):
    import tensorflow as tf
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    with _clear_errors(prefix):
        return TrackableObjectGraph.FromString(tf.train.load_checkpoint(prefix).get_tensor(GRAPH))


def _key_at(graph, path):
    """The name in the file of the variable that `path` leads to, None where it leads nowhere."""
    node = graph.nodes[0]
    for part in path.split("/"):
        child = next((child.node_id for child in node.children if child.local_name == part), None)
        if child is None:
            return None
        node = graph.nodes[child]
    return node.attributes[0].checkpoint_key if node.attributes else None


def _object_at(root, path):
    import tensorflow as tf

    for part in path.split("/"):
        if not hasattr(root, part):
            setattr(root, part, tf.Module())
        root = getattr(root, part)
    return root


def _attach(root, path, item):
    parent, _, name = path.rpartition("/")
    setattr(_object_at(root, parent), name, item)
