"""`tf.distribute` strategies: one device, several, several machines, a TPU."""

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
        f"Received: TF_CONFIG={text}. It must name the workers and which of them this is: "
        '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
    )


def make_strategy(name: str) -> tf.distribute.Strategy:
    """The `tf.distribute.Strategy`; "auto": the workers of TF_CONFIG, else all GPUs, else the one device."""
    cluster = check_cluster()
    if name == "multi_worker" or (name == "auto" and cluster):
        if not cluster:
            raise ConfigError("strategy=multi_worker needs TF_CONFIG, or --workers=N to test it on this machine.")
        return tf.distribute.MultiWorkerMirroredStrategy()  # before anything asks TensorFlow for its devices
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
    return (int(cluster["task"]["index"]), len(cluster["cluster"]["worker"])) if cluster else (0, 1)


def is_chief() -> bool:
    """Whether this worker writes the run's files."""
    return worker()[0] == 0


def agree(strategy: tf.distribute.Strategy, value: float) -> float:
    """The mean of the workers' numbers, so that all use the same one."""
    values = strategy.run(tf.function(lambda: tf.constant(value, tf.float32)))
    return float(strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None))
