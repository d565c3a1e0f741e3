"""Reads TF Serving's config files (text protos): models, batching, monitoring."""

import os
import pathlib
from typing import Any

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from bert_tf.core import files
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.serving import config_protos
from bert_tf.serving.batcher import BatchingConfig
from bert_tf.serving.models import ModelConfig

_MAX_BYTES = 1 << 20


def read_models(file: str | os.PathLike) -> list[ModelConfig]:
    """`ModelConfig`s of a --model_config_file (ModelServerConfig)."""
    protos = _read(file, ModelServerConfig()).model_config_list.config
    configs = [_model(file, proto) for proto in protos]
    names = [config.name for config in configs]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"{file}: received the models {names}. Name at least one, and each only once.")
    return configs


def read_batching(file: str | os.PathLike) -> BatchingConfig:
    """The `BatchingConfig` of a --batching_parameters_file (BatchingParameters)."""
    fields = {}
    for field, wrapper in _read(file, config_protos.new("BatchingParameters")).ListFields():
        least = 0 if field.name == "batch_timeout_micros" else 1
        if wrapper.value < least:
            raise ConfigError(f"{file}: received {field.name} {{ value: {wrapper.value} }}. It must be positive.")
        fields[field.name] = wrapper.value
    return BatchingConfig(**fields)


def read_monitoring(file: str | os.PathLike) -> str | None:
    """The path of the Prometheus metrics in a --monitoring_config_file (MonitoringConfig); None: not enabled."""
    prometheus = _read(file, config_protos.new("MonitoringConfig")).prometheus_config
    path = prometheus.path or "/monitoring/prometheus/metrics"  # TF Serving's default
    taken = path in ("/", "/models") or path.startswith("/v1/")
    if not path.startswith("/") or taken or set(path) & set("{}?# "):
        raise ConfigError(
            f"{file}: received path {path!r}. It must begin with a slash, and not be a path of the server's own."
        )
    if not prometheus.enable:
        return None
    return path


def _model(file: str | os.PathLike, proto: Any) -> ModelConfig:
    if not proto.name or not proto.base_path or set(proto.name) & set("/:"):
        raise ConfigError(
            f"{file}: received name {proto.name!r}, base_path {proto.base_path!r}. Each model needs both."
        )
    if proto.model_platform not in ("tensorflow", ""):
        raise ConfigError(f"{file}: received model_platform {proto.model_platform!r}. Only tensorflow can be served.")
    policy = proto.model_version_policy
    latest: int | None = policy.latest.num_versions or 1  # the default of TF Serving: the newest version only
    if policy.WhichOneof("policy_choice") in ("all", "specific"):
        latest = None
    return ModelConfig(
        proto.name,
        pathlib.Path(proto.base_path),
        latest=latest,
        only=frozenset(policy.specific.versions),
        labels=dict(proto.version_labels),
    )


def _read(file: str | os.PathLike, message: Any) -> Any:
    """Parses the file into `message`, a proto, and returns it."""
    try:
        return text_format.Parse(files.read_text(file, _MAX_BYTES), message)
    except text_format.ParseError as error:  # "line:column : message"
        known = ", ".join(field.name for field in message.DESCRIPTOR.fields)
        raise ConfigError(f"{file}:{str(error).rstrip('.')}. It takes: {known}.") from error
    except InputError as error:
        raise ConfigError(str(error)) from error
