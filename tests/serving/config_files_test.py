"""TF Serving's config files: those in tools/serving, and messages for wrong ones."""

import os
import pathlib

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from bert_tf.core.errors import ConfigError
from bert_tf.serving import config_files, config_protos
from bert_tf.serving.batcher import BatchingConfig
from bert_tf.serving.models import ModelConfig

TOOLS = pathlib.Path(__file__).parents[2] / "tools/serving"
MESSAGES = {
    "models.config": model_server_config_pb2.ModelServerConfig,
    "batching.config": lambda: config_protos.new("BatchingParameters"),
    "monitoring.config": lambda: config_protos.new("MonitoringConfig"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_configs_parse_as_their_protos(name):
    assert text_format.Parse((TOOLS / name).read_text(), MESSAGES[name]()).ByteSize()


def test_values_of_the_configs():
    assert config_files.read_models(TOOLS / "models.config") == [ModelConfig("docs", pathlib.Path("/models/docs"))]
    assert config_files.read_batching(TOOLS / "batching.config") == BatchingConfig(32, 1000, 64, 2)
    assert config_files.read_monitoring(TOOLS / "monitoring.config") == "/monitoring/prometheus/metrics"


def test_manifests_name_the_configs_and_the_same_flags():
    compose = yaml.safe_load((TOOLS / "compose.yaml").read_text())["services"]["serving"]
    deployment, service = yaml.safe_load_all((TOOLS / "kubernetes.yaml").read_text())
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == compose["command"]
    assert container["image"] == compose["image"]
    files = {flag.split("=/config/")[1] for flag in compose["command"] if "/config/" in flag}
    assert files == set(MESSAGES)
    assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"] for port in container["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} == ports
    model = config_files.read_models(TOOLS / "models.config")[0]
    assert container["readinessProbe"]["httpGet"]["path"] == f"/v1/models/{model.name}"


def test_version_policies_and_labels(tmp_path):
    file = tmp_path / "models.config"
    file.write_text("""
        model_config_list {
          config { name: "a" base_path: "/a" model_version_policy { latest { num_versions: 2 } } }
          config { name: "b" base_path: "/b" model_version_policy { all {} } }
          config { name: "c" base_path: "/c" model_version_policy { specific { versions: 3 versions: 5 } }
                   version_labels { key: "stable" value: 3 } }
        }""")
    a, b, c = config_files.read_models(file)
    assert (a.latest, b.latest, c.latest) == (2, None, None)
    assert a.candidates([1, 2, 3]) == [3, 2, 1]
    assert c.candidates([1, 2, 3, 4, 5]) == [5, 3]
    assert c.labels == {"stable": 3}


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (
            "models",
            'model_config_list { config { nme: "a" } }',
            ':1:30 : Message type "tensorflow.serving.ModelConfig"',
        ),
        ("models", "", "Name at least one"),
        ("models", 'model_config_list { config { name: "a" } }', "Each model needs both."),
        ("models", 'model_config_list { config { name: "a/b" base_path: "x" } }', "received name 'a/b'"),
        (
            "models",
            'model_config_list { config { name: "a" base_path: "x" } config { name: "a" base_path: "y" } }',
            "each only once",
        ),
        (
            "models",
            'model_config_list { config { name: "a" base_path: "x" model_platform: "other" } }',
            "model_platform 'other'",
        ),
        ("batching", "max_batch_size: 3", ":1:17"),
        ("batching", "max_batch_size { value: 0 }", "max_batch_size { value: 0 }. It must be positive."),
        ("batching", "pad_variable_length_inputs: true", "It takes: max_batch_size, batch_timeout_micros,"),
        ("monitoring", 'prometheus_config { enable: true path: "metrics" }', "It must begin with a slash"),
        ("monitoring", 'prometheus_config { enable: true path: "/v1/models/a" }', "not be a path of the server's own"),
    ],
)
def test_wrong_configs(read, text, message, tmp_path):
    file = tmp_path / "some.config"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        getattr(config_files, f"read_{read}")(file)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_monitoring_can_be_off_and_a_file_can_be_missing(tmp_path):
    file = tmp_path / "monitoring.config"
    file.write_text("prometheus_config { enable: false }")
    assert config_files.read_monitoring(file) is None
    with pytest.raises(ConfigError, match="cannot be read"):
        config_files.read_monitoring(tmp_path / "none")


@pytest.mark.parametrize("path", ["/dev/zero", "pipe", "."])
def test_only_files_are_read(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with pytest.raises(ConfigError, match=f"{path} is a .*. A regular file is needed."):
        config_files.read_models(path)
