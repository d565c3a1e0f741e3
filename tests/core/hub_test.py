"""Models by name, from a hub on loopback, as `huggingface_hub` asks it in a process with the user's environment."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from bert_tf.core import hub
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.known_models import KNOWN_MODELS
from tests.hub_server import TOKEN, commit_of, serving

FILES = ["config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"]
RESOLVE = """
import json, sys
from bert_tf.core.hub import resolve_folder
answers = []
for name in sys.argv[2:]:
    try:
        answers.append(str(resolve_folder(name, weights=sys.argv[1] == "weights")))
    except ValueError as error:
        answers.append(f"{type(error).__name__}: {error}")
print(json.dumps([answers, "tensorflow" in sys.modules]))
"""


def repository(folder, files):
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{folder.name} {name}")
    return folder


@pytest.fixture(scope="module")
def hub_at_work(tmp_path_factory):
    path = tmp_path_factory.mktemp("repositories")
    others = ["pytorch_model.bin", "tf_model.h5", "model.weights.h5", "README.md", "onnx/config.json", "run.py"]
    sentence = ["modules.json", "1_Pooling/config.json", "sentence_bert_config.json"]
    repositories = {
        "me/whole": {"main": repository(path / "whole", [*FILES, *others, *sentence])},
        "me/shards": {"main": repository(path / "shards", ["config.json", "model-00001-of-00002.safetensors"])},
        "me/pickled": {"main": repository(path / "pickled", ["config.json", "vocab.txt", "pytorch_model.bin"])},
        "me/ours": {"main": repository(path / "ours", ["config.json", "vocab.txt", "model.weights.h5"])},
        "me/none": {"main": repository(path / "none", ["config.json", "README.md"])},
        "me/private": {"main": repository(path / "private", FILES)},
        "me/cut": {"main": repository(path / "cut", FILES)},
    }
    repositories["me/whole"]["v2/b"] = repository(path / "second", FILES)
    with serving(repositories) as hub:
        hub.private.add("me/private")
        yield hub


@pytest.fixture(scope="module")
def resolve(hub_at_work, tmp_path_factory):
    """Calls `resolve_folder` in a process; returns the folder or the message for each name."""
    home = tmp_path_factory.mktemp("home")

    def run(*names, weights=True, **environment):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING_FACE"))}
        known = {"HF_ENDPOINT": hub_at_work.url, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"}
        command = [sys.executable, "-c", RESOLVE, "weights" if weights else "", *names]
        result = subprocess.run(
            command, capture_output=True, text=True, check=False, env=kept | known | {"HTTP_PROXY": ""} | environment
        )
        assert result.returncode == 0, result.stderr
        answers, imports_tensorflow = json.loads(result.stdout)
        assert not imports_tensorflow
        assert not any("\n" in answer for answer in answers)
        return answers

    run.home = home
    return run


@pytest.fixture(scope="module")
def whole(resolve):
    """The folder of hf://me/whole in the cache."""
    (folder,) = resolve("hf://me/whole")
    return folder


def read(folder, name):
    return (pathlib.Path(folder) / name).read_text()


def test_only_safetensors_configs_and_tokenizers_are_fetched(hub_at_work, whole):
    assert read(whole, "model.safetensors") == "whole model.safetensors"
    assert read(whole, "1_Pooling/config.json") == "whole 1_Pooling/config.json"
    found = {str(path.relative_to(whole)) for path in pathlib.Path(whole).rglob("*") if path.is_file()}
    assert found == {*FILES, "modules.json", "1_Pooling/config.json", "sentence_bert_config.json"}
    assert not {"pytorch_model.bin", "tf_model.h5", "model.weights.h5", "run.py"} & hub_at_work.fetched()


def test_revisions_shards_and_keras_files(hub_at_work, resolve):
    commit = commit_of(hub_at_work.repositories["me/whole"]["v2/b"])
    branch, pinned, missing, shards, ours = resolve(
        "hf://me/whole@v2/b", f"hf://me/whole@{commit}", "hf://me/whole@v3", "hf://me/shards", "hf://me/ours"
    )
    assert branch == pinned
    assert read(branch, "vocab.txt") == "second vocab.txt"
    assert missing.startswith("InputError: hf://me/whole@v3 cannot be opened: it has no revision 'v3'")
    assert read(shards, "model-00001-of-00002.safetensors")
    assert read(ours, "model.weights.h5") == "ours model.weights.h5"


def test_without_a_network_the_cache_is_used(hub_at_work, resolve, whole):
    resolve("hf://me/ours")
    before = len(hub_at_work.requests)
    found, ours, missing = resolve("hf://me/whole", "hf://me/ours", "hf://me/new", HF_HUB_OFFLINE="1")
    assert read(ours, "model.weights.h5")
    assert (found, len(hub_at_work.requests)) == (whole, before)
    assert "the cache lacks it" in missing
    assert "HF_HUB_OFFLINE" in missing
    found, missing = resolve("hf://me/whole", "hf://me/new", HF_ENDPOINT="http://127.0.0.1:9")
    assert found == whole
    assert "http://127.0.0.1:9 was not reached" in missing
    assert "HF_ENDPOINT" in missing


@pytest.fixture(params=[True, False], ids=["hub", "mirror"])
def codes(request, hub_at_work):
    """Errors of Hugging Face, and of a mirror that gives nothing but the status."""
    hub_at_work.codes = request.param
    yield
    hub_at_work.codes = True


def test_tokens(resolve, codes, tmp_path):
    home = str(tmp_path)  # a model in the cache is opened with any token
    (anonymous,) = resolve("hf://me/private", HF_HOME=home)
    assert "has no such model, or it is private and needs HF_TOKEN" in anonymous
    (wrong,) = resolve("hf://me/private", HF_HOME=home, HF_TOKEN="hf_wrong")
    assert wrong.startswith("InputError: hf://me/private cannot be opened: http://127.0.0.1")
    assert "refused the token (401). Correct HF_TOKEN" in wrong
    right, missing = resolve("hf://me/private", "hf://google-bert/bert-base-chines", HF_HOME=home, HF_TOKEN=TOKEN)
    assert read(right, "config.json") == "private config.json"
    assert "no such model" in missing
    assert missing.endswith("Did you mean hf://google-bert/bert-base-chinese?")


def test_repositories_without_readable_weights(resolve):
    pickled, none = resolve("hf://me/pickled", "hf://me/none")
    assert pickled.startswith("InputError: hf://me/pickled has no weights in model.safetensors, only pytorch_model.bin")
    assert "save_pretrained" in pickled
    assert none.startswith("InputError: hf://me/none has no weights in model.safetensors. Give a")
    (tokenizer,) = resolve("hf://me/pickled", weights=False)
    assert read(tokenizer, "vocab.txt") == "pickled vocab.txt"


@pytest.mark.slow  # the library tries again for five seconds
def test_a_download_that_breaks_off(hub_at_work, resolve):
    hub_at_work.cut.add("model.safetensors")
    (message,) = resolve("hf://me/cut")
    hub_at_work.cut.clear()
    assert "hf://me/cut cannot be opened" in message
    assert "Nothing incomplete is used" in message
    assert not list((resolve.home / "hub/models--me--cut").rglob("model.safetensors"))
    (offline,) = resolve("hf://me/cut", HF_HUB_OFFLINE="1")
    assert "the cache lacks it, or some of its files" in offline
    (folder,) = resolve("hf://me/cut")
    assert read(folder, "model.safetensors") == "cut model.safetensors"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf://", "hf://OWNER/NAME"),
        ("hf://bert-base-chinese", "Did you mean hf://google-bert/bert-base-chinese?"),
        ("hf://a/../../b", "hf://OWNER/NAME"),
        ("hf://a/b@../../c", "hf://OWNER/NAME"),
        ("hf://a/b@", "hf://OWNER/NAME"),
        ("kaggle://keras/bert", "kaggle://OWNER/MODEL/FRAMEWORK/VARIATION"),
        ("kaggle://keras/bert/keras/bert_base_zh/three", "kaggle://OWNER/MODEL/FRAMEWORK/VARIATION"),
    ],
)
def test_names_that_are_none(name, message):
    with pytest.raises(ConfigError, match="Received: ") as caught:
        hub.resolve_folder(name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_paths_stay_paths(tmp_path):
    for path in (tmp_path, str(tmp_path), "hf", "models/hf:/x", "C:/kaggle"):
        assert str(hub.resolve_folder(path)) == str(path)
        assert not hub.is_name(path)


@pytest.mark.parametrize(("name", "package"), [("hf://a/b", "huggingface_hub"), ("kaggle://a/b/c/d", "kagglehub")])
def test_a_missing_package_names_the_extra(monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"{name} needs {package}: pip install 'bert_tf\[hub\]'"):
        hub.resolve_folder(name)


def test_kaggle_opens_a_cached_version_without_a_request(monkeypatch, tmp_path):
    pytest.importorskip("kagglehub")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    folder = repository(tmp_path / "models/keras/bert/keras/bert_tiny/3", ["config.json"])
    (folder.parent / "3.complete").touch()
    assert hub.resolve_folder("kaggle://keras/bert/keras/bert_tiny/3") == folder
    with pytest.raises(InputError, match="kaggle://keras/bert/keras/bert_tiny cannot be opened: Kaggle was not reach"):
        hub.resolve_folder("kaggle://keras/bert/keras/bert_tiny")


def test_known_models_are_sorted_and_are_names():
    places = [(model.language, model.millions) for model in KNOWN_MODELS]
    assert places == sorted(places)
    assert len({model.name for model in KNOWN_MODELS}) == len(KNOWN_MODELS)
    for model in KNOWN_MODELS:
        kind, _, path = model.name.partition("://")
        pattern = hub._HUGGINGFACE if kind == "hf" else hub._KAGGLE
        assert pattern.fullmatch(path), model.name


@pytest.mark.slow  # derives the schemas of three families
def test_golden_families(golden, resolve, hub_at_work, tmp_path):
    from bert_tf.weights import read_model

    names = ["roberta_sequence_classification", "electra_discriminator", "albert_token_classification"]
    for name in names:
        source = shutil.copytree(golden / "families" / name, tmp_path / name)
        hub_at_work.repositories[f"golden/{name}"] = {"main": source}
    for name, folder in zip(names, resolve(*(f"hf://golden/{name}" for name in names)), strict=True):
        ours, theirs = read_model(folder), read_model(golden / "families" / name)
        assert (ours.encoder, ours.task) == (theirs.encoder, theirs.task)
        assert all((ours.weights[weight] == array).all() for weight, array in theirs.weights.items())
