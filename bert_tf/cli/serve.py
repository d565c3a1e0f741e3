"""The verb `serve`."""

import asyncio
import functools
from typing import Any

from bert_tf.core.errors import ConfigError
from bert_tf.core.import_hooks import import_within, leave_out, without
from bert_tf.core.quiet_import import without_collection


def serve(flags: Any, overrides: list[str]) -> None:
    """Serves until SIGINT or SIGTERM."""
    if overrides:
        raise ConfigError(f"Received: {overrides[0]!r}. bert-tf serve has flags only, no key=value settings.")
    with without_collection():  # until the models are open, see `server.serve`
        _serve(flags)


def _serve(flags: Any) -> None:
    # TensorFlow alone opens and runs the models. It looks for Keras, and tensorflow_text has layers of Keras.
    import_within("tensorflow", functools.partial(without, ("keras.src",)))
    leave_out("tensorflow_text.python.keras")
    try:
        from bert_tf.serving import server  # imports the extra's packages before TensorFlow
    except ImportError as error:
        raise ConfigError(f"bert-tf serve needs {error.name}: pip install 'bert_tf[serve]'") from error
    import tensorflow as tf

    from bert_tf.serving import options

    tf.config.threading.set_intra_op_parallelism_threads(flags.tensorflow_intra_op_parallelism)
    tf.config.threading.set_inter_op_parallelism_threads(flags.tensorflow_inter_op_parallelism)
    asyncio.run(server.serve(options.from_flags(flags)))
