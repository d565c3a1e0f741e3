"""Other projects' code in the documentation, in both languages, runs where the project is installed."""

import importlib.util
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from bert_tf.weights import read_model, write_model
from tests.docs.blocks import blocks_of
from tests.docs.tiny_models import write_pretrained

PAGES = ("docs/WAYS_OVER.md", "docs/WAYS_OVER.zh.md")
in_both_languages = pytest.mark.parametrize("page", PAGES)
IDS = np.array([[2, 5, 6, 3, 7, 3], [2, 9, 3, 0, 0, 0]], "int32")
TOKENS = {"ids": IDS, "mask": (IDS != 0).astype("int32"), "segments": np.array([[0] * 4 + [1] * 2, [0] * 6], "int32")}


def code_of(project, page=PAGES[0]):
    (block,) = [block for block in blocks_of(page) if block.project == project and block.language == "python"]
    return block.code


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained") / "MODEL"
    write_pretrained(folder)
    return folder


@in_both_languages
def test_keras_hub(page, model, tmp_path):
    keras_hub = pytest.importorskip("keras_hub")
    write_model(read_model(model), tmp_path / "preset", "keras_hub")
    names = {}
    exec(re.sub("bert_base_(en_uncased|zh)", str(tmp_path / "preset"), code_of("keras-hub", page)), names)
    assert isinstance(names["classifier"], keras_hub.models.BertTextClassifier)
    assert names["classifier"].predict(["a good film"]).shape == (1, 2)


def test_model_garden():
    pytest.importorskip("official.nlp.modeling", reason="needs tf-models-official (extra garden)")
    names = dict(TOKENS)
    exec(code_of("Model Garden"), names)
    theirs = names["outputs"]
    assert theirs["sequence_output"].shape == (2, 6, 16)
    assert theirs["pooled_output"].shape == (2, 16)


@in_both_languages
def test_transformers_4(page, model, tmp_path):
    transformers = pytest.importorskip("transformers", reason="needs transformers 4")
    if not hasattr(transformers, "TFBertModel"):
        pytest.skip("needs transformers 4: version 5 has no TensorFlow classes")
    import tensorflow as tf

    write_model(read_model(model), tmp_path / "hf", "huggingface")
    names = {"MODEL": str(tmp_path / "hf"), "tf": tf}
    exec(code_of("transformers 4", page), names)
    assert names["outputs"].last_hidden_state.shape[-1] == 16


@pytest.mark.parametrize("page", ["docs/WEIGHTS.md", "docs/WEIGHTS.zh.md"])
def test_conversion_of_pickled_weights(page, model, tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="needs transformers and PyTorch")
    pytest.importorskip("transformers")
    write_model(read_model(model), tmp_path / "hfl/chinese-roberta-wwm-ext", "huggingface")
    monkeypatch.chdir(tmp_path)
    (block,) = [block for block in blocks_of(page) if "AutoModelForMaskedLM" in block.code]
    exec(block.code, {})
    assert read_model("chinese-roberta-wwm-ext").vocabulary == read_model(model).vocabulary


@in_both_languages
def test_sentence_transformers(page, model, tmp_path):
    pytest.importorskip("sentence_transformers")
    write_model(read_model(model), tmp_path / "hf", "huggingface")
    names = {"MODEL": str(tmp_path / "hf")}
    exec(code_of("sentence-transformers", page), names)
    assert names["vectors"].shape == (2, 16)


@in_both_languages
@pytest.mark.parametrize("project, module", [("bert4keras", "bert4keras"), ("keras-bert", "keras_bert")])
def test_projects_for_keras_2(project, module, page, model, tmp_path):
    """In a process of their own, with TensorFlow's Keras 2 under the name of Keras."""
    for name in (module, "tf_keras"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {project} and tf_keras, which is Keras 2")
    write_model(read_model(model), tmp_path / "MODEL", "google")
    code = "import numpy as np\n" + code_of(project, page)
    keras_2 = {"TF_USE_LEGACY_KERAS": "1", "TF_KERAS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | keras_2, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_bert_as_service():
    pytest.importorskip("bert_serving.client", reason="needs bert-serving-client and a server on TensorFlow 1")
    pytest.skip("needs a server on TensorFlow 1")
