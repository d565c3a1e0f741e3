"""Options of the server, from flags that are named as those of tensorflow_model_server."""

import dataclasses
import pathlib
from typing import Any

from bert_tf.core.errors import ConfigError
from bert_tf.serving import config_files
from bert_tf.serving.batcher import BatchingConfig
from bert_tf.serving.limits import Limits
from bert_tf.serving.models import ModelConfig
from bert_tf.serving.version_folders import check_base_path


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of a server; a port of 0 disables that API."""

    models: tuple[ModelConfig, ...]
    host: str = "127.0.0.1"
    port: int = 8500
    rest_api_port: int = 8501
    poll_seconds: float = 1.0
    warmup: bool = True
    batching: BatchingConfig = BatchingConfig()
    limits: Limits = Limits()
    metrics_paths: tuple[str, ...] = ("/metrics",)


def from_flags(flags: Any) -> Options:
    """`Options` from the flags of the verb `serve`.

    Raises:
        ConfigError: a value is wrong.
        InputError: a base path cannot hold versions.
    """
    _check_numbers(flags)
    models = tuple(_models(flags))
    for config in models:
        check_base_path(config.base_path)
    monitoring = flags.monitoring_config_file and config_files.read_monitoring(flags.monitoring_config_file)
    return Options(
        models=models,
        host=flags.host,
        port=flags.port,
        rest_api_port=flags.rest_api_port,
        poll_seconds=flags.file_system_poll_wait_seconds,
        warmup=flags.enable_model_warmup,
        batching=_batching(flags),
        limits=Limits(flags.max_body_bytes, flags.max_rows, flags.max_text_bytes, flags.rest_api_timeout_in_ms / 1000),
        metrics_paths=tuple(dict.fromkeys(("/metrics", monitoring or "/metrics"))),
    )


def _models(flags: Any) -> list[ModelConfig]:
    if bool(flags.model_config_file) == bool(flags.model_base_path):
        raise ConfigError("Give either --model_base_path (one model) or --model_config_file (several).")
    if flags.model_config_file:
        return config_files.read_models(flags.model_config_file)
    if not flags.model_name or set(flags.model_name) & set("/:"):
        raise ConfigError(f"Received: --model_name={flags.model_name!r}. Give a name without slash and colon.")
    return [ModelConfig(flags.model_name, pathlib.Path(flags.model_base_path))]


def _batching(flags: Any) -> BatchingConfig:
    if flags.batching_parameters_file and not flags.enable_batching:
        raise ConfigError("--batching_parameters_file has no effect without --enable_batching.")
    if flags.batching_parameters_file:
        return config_files.read_batching(flags.batching_parameters_file)
    if flags.enable_batching:
        return BatchingConfig(max_batch_size=32)
    return BatchingConfig()


def _check_numbers(flags: Any) -> None:
    limits = ("rest_api_timeout_in_ms", "max_body_bytes", "max_rows", "max_text_bytes")
    for name in ("file_system_poll_wait_seconds", *limits):
        if getattr(flags, name) < 1:
            raise ConfigError(f"Received: --{name}={getattr(flags, name)}. It must be at least 1.")
    for name in ("tensorflow_intra_op_parallelism", "tensorflow_inter_op_parallelism"):
        if getattr(flags, name) < 0:  # TensorFlow would abort the process
            raise ConfigError(f"Received: --{name}={getattr(flags, name)}. It must be at least 0.")
    port, rest_port = flags.port, flags.rest_api_port
    if not (0 <= port < 65536 and 0 <= rest_port < 65536) or port == rest_port:  # not both 0 either
        raise ConfigError(f"Received: --port={port} --rest_api_port={rest_port}. Give two ports; 0 disables one.")
