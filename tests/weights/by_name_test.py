"""Everything that opens a folder takes the name of a model on a hub, and downloads weights only where it reads them."""

import json

import huggingface_hub
import pytest

from bert_tf.data.readers.examples import OF_MODEL, files_of
from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.weights import find_format, read_model, read_task, write_model
from tests.weights.samples import VOCABULARY, make


@pytest.fixture
def patterns(tmp_path, monkeypatch):
    """The patterns of each download of hf://me/model, whose files are those of a classifier."""
    write_model(make("classification"), tmp_path / "model", "huggingface")
    (tmp_path / "model" / OF_MODEL).write_text(json.dumps({"separator": ";"}))
    asked = []

    def download(repository, revision, allow_patterns):
        assert (repository, revision) == ("me/model", "v1")
        asked.append(allow_patterns)
        return str(tmp_path / "model")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return asked


@pytest.mark.parametrize(
    ("open_folder", "opened", "weights"),
    [
        (lambda name: read_model(name).vocabulary, VOCABULARY, True),
        (lambda name: read_task(name)["name"], "classification", False),
        (find_format, "huggingface", True),
        (lambda name: Tokenizer.from_pretrained(name).vocabulary, VOCABULARY, False),
        (lambda name: files_of(name).separator, ";", False),
    ],
    ids=["read_model", "read_task", "find_format", "Tokenizer", "files_of"],
)
def test_names_are_taken(patterns, open_folder, opened, weights):
    assert open_folder("hf://me/model@v1") == opened
    assert len(patterns) == 1
    assert ("model.safetensors" in patterns[0]) == weights
    assert "config.json" in patterns[0]
