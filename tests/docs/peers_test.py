"""Other projects' code in docs/WAYS_OVER.md runs where the project is installed."""

import numpy as np
import pytest

from bert_tf.weights import read_model, write_model
from tests.docs.blocks import blocks_of
from tests.docs.tiny_models import write_pretrained

PAGE = "docs/WAYS_OVER.md"
IDS = np.array([[2, 5, 6, 3, 7, 3], [2, 9, 3, 0, 0, 0]], "int32")
TOKENS = {"ids": IDS, "mask": (IDS != 0).astype("int32"), "segments": np.array([[0] * 4 + [1] * 2, [0] * 6], "int32")}


def code_of(project):
    (block,) = [block for block in blocks_of(PAGE) if block.project == project and block.language == "python"]
    return block.code


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained") / "MODEL"
    write_pretrained(folder)
    return folder


def test_keras_hub(model, tmp_path):
    keras_hub = pytest.importorskip("keras_hub")
    write_model(read_model(model), tmp_path / "preset", "keras_hub")
    names = {}
    exec(code_of("keras-hub").replace("bert_base_en_uncased", str(tmp_path / "preset")), names)
    assert isinstance(names["classifier"], keras_hub.models.BertTextClassifier)
    assert names["classifier"].predict(["a good film"]).shape == (1, 2)


def test_model_garden():
    pytest.importorskip("official.nlp.modeling", reason="needs tf-models-official (extra garden)")
    names = dict(TOKENS)
    exec(code_of("Model Garden"), names)
    theirs = names["outputs"]
    assert theirs["sequence_output"].shape == (2, 6, 16)
    assert theirs["pooled_output"].shape == (2, 16)


def test_transformers_4(model, tmp_path):
    transformers = pytest.importorskip("transformers", reason="needs transformers 4")
    if not hasattr(transformers, "TFBertModel"):
        pytest.skip("needs transformers 4: version 5 has no TensorFlow classes")
    import tensorflow as tf

    write_model(read_model(model), tmp_path / "hf", "huggingface")
    names = {"MODEL": str(tmp_path / "hf"), "tf": tf}
    exec(code_of("transformers 4"), names)
    assert names["outputs"].last_hidden_state.shape[-1] == 16


def test_sentence_transformers(model, tmp_path):
    pytest.importorskip("sentence_transformers")
    write_model(read_model(model), tmp_path / "hf", "huggingface")
    names = {"MODEL": str(tmp_path / "hf")}
    exec(code_of("sentence-transformers"), names)
    assert names["vectors"].shape == (2, 16)


@pytest.mark.parametrize("project, module", [("bert4keras", "bert4keras.models"), ("keras-bert", "keras_bert")])
def test_projects_for_keras_2(project, module, model, tmp_path, monkeypatch):
    try:
        pytest.importorskip(module, exc_type=ImportError, reason=f"needs {project}, which needs Keras 2")
    except AttributeError as error:  # their imports of names that Keras 3 lacks
        pytest.skip(f"needs Keras 2: {error}")
    write_model(read_model(model), tmp_path / "MODEL", "google")
    monkeypatch.chdir(tmp_path)
    exec(code_of(project), {"np": np})


def test_bert_as_service():
    pytest.importorskip("bert_serving.client", reason="needs bert-serving-client and a server on TensorFlow 1")
    pytest.skip("needs a server on TensorFlow 1")
