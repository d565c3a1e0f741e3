"""`tf.distribute` strategies: one device, several devices, several machines, a TPU."""

import json
import os

import tensorflow as tf

from bert_tf.core.errors import ConfigError


def check_cluster() -> dict:
    """The content of TF_CONFIG, {} where it is not set; `ConfigError` where it does not name this worker."""
    text = os.environ.get("TF_CONFIG")
    if not text:
        return {}
    try:
        config = json.loads(text)
        workers, task = config["cluster"]["worker"], config["task"]
        if task["type"] == "worker" and workers[int(task["index"])]:
            return config
    except (ValueError, KeyError, TypeError, IndexError):
        pass
    raise ConfigError(
        f"Received: TF_CONFIG={text}. It must name the workers and the index of this one: "
        '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
    )


def make_strategy(name: str) -> tf.distribute.Strategy:
    """The `tf.distribute.Strategy` of a name in `STRATEGIES`.

    "auto" uses the workers of TF_CONFIG if it is set, else all GPUs if there are several, else the one device.

    Raises:
        ConfigError: "multi_worker" without TF_CONFIG, or a wrong TF_CONFIG.
    """
    cluster = check_cluster()
    if name == "multi_worker" or (name == "auto" and cluster):
        if not cluster:
            raise ConfigError("strategy=multi_worker needs TF_CONFIG, or --workers=N to test it on this machine.")
        # Made first: it fails once TensorFlow's devices are initialized, as listing them below does.
        return tf.distribute.MultiWorkerMirroredStrategy()
    gpus = [device.name for device in tf.config.list_logical_devices("GPU")]
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        cpus = [device.name for device in tf.config.list_logical_devices("CPU")]
        return tf.distribute.MirroredStrategy(gpus or cpus)
    if name == "tpu":
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    return tf.distribute.get_strategy()


def worker() -> tuple[int, int]:
    """(number of this worker, number of workers); worker 0 is the chief, which writes the run's files."""
    cluster = check_cluster()
    if not cluster:
        return 0, 1
    return int(cluster["task"]["index"]), len(cluster["cluster"]["worker"])


def is_chief() -> bool:
    """Whether this worker writes the run's files."""
    return worker()[0] == 0


def agree(strategy: tf.distribute.Strategy, value: float) -> float:
    """The mean of the workers' numbers, so that all use the same one; also a barrier for all workers."""
    values = strategy.run(_identity, (tf.constant(value, tf.float32),))
    return float(strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None))


@tf.function(autograph=False)
def _identity(value: tf.Tensor) -> tf.Tensor:
    return tf.identity(value)
