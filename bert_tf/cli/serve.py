"""The verb `serve`."""

import asyncio
from typing import Any

from bert_tf.core.errors import ConfigError


def serve(flags: Any, overrides: list[str]) -> None:
    """Serves until SIGINT or SIGTERM."""
    if overrides:
        raise ConfigError(f"Received: {overrides[0]!r}. bert-tf serve has flags only, no key=value settings.")
    try:
        from bert_tf.serving import server  # imports the extra's packages before TensorFlow
    except ImportError as error:
        raise ConfigError(f"bert-tf serve needs {error.name}: pip install 'bert_tf[serve]'") from error
    import tensorflow as tf

    from bert_tf.serving import options

    tf.config.threading.set_intra_op_parallelism_threads(flags.tensorflow_intra_op_parallelism)
    tf.config.threading.set_inter_op_parallelism_threads(flags.tensorflow_inter_op_parallelism)
    asyncio.run(server.serve(options.from_flags(flags)))
