"""Every task as SavedModel and as TFLite: answers agree with Keras."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import ConfigError
from bert_tf.export.litert_model import LiteRTModel
from bert_tf.export.litert_task import at_length, on_device
from bert_tf.export.saved_model import export_saved_model
from bert_tf.export.tflite import export_tflite
from bert_tf.tasks import FillMask, NextSentence, QuestionAnswerer, TextClassifier, TextEmbedder, TextTagger
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.export.conftest import ENCODER, VOCABULARY

TEXTS = ["A good [MASK] Café", "bad cafe , good [MASK] [MASK]", "我 goodly bad " * 20]
MODELS = {
    "labels": lambda tokenizer: TextClassifier(
        tokenizer, ["x", "y"], problem_type="multi_label_classification", max_length=40, **ENCODER
    ),
    "score": lambda tokenizer: TextClassifier(tokenizer, [], problem_type="regression", max_length=40, **ENCODER),
    "embedding": lambda tokenizer: TextEmbedder(tokenizer, max_length=40, **ENCODER),
    "tags": lambda tokenizer: TextTagger(tokenizer, ["O", "B-A", "I-A"], max_length=40, **ENCODER),
    "long": lambda tokenizer: TextClassifier(tokenizer, ["x", "y"], max_length=40, stride=20, **ENCODER),
    "answer": lambda tokenizer: QuestionAnswerer(tokenizer, max_length=40, n_best=3, **ENCODER),
}


PRETRAINED = {
    "masks": lambda tokenizer: FillMask(tokenizer, max_length=40, **ENCODER),
    "next": lambda tokenizer: NextSentence(tokenizer, max_length=40, **ENCODER),
}


def make(request):
    return (MODELS | PRETRAINED)[request.param](Tokenizer(VOCABULARY, TextConfig(special_tokens=True)))


@pytest.fixture(scope="module", params=[*MODELS, *PRETRAINED])
def model(request):
    return make(request)


@pytest.fixture(scope="module", params=list(MODELS))
def phone_model(request):
    return make(request)


def texts_for(model):
    return tuple([TEXTS, TEXTS[::-1]][: len(model.TEXTS) - len(model.OPTIONAL_TEXTS)])


def test_saved_model(model, tmp_path):
    texts = texts_for(model)
    version, difference = export_saved_model(model, tmp_path, texts)
    assert difference < 1e-4
    signatures = tf.saved_model.load(str(version)).signatures
    tensors = model.preprocessor.encode_texts(texts)
    served = signatures["serving_default"](**dict(zip(model.TEXTS, tensors, strict=False)))
    expected = model.serve(*tensors)
    assert served.keys() == expected.keys()
    for name, value in expected.items():
        if value.dtype == tf.string or value.dtype.is_integer:
            assert served[name].numpy().tolist() == value.numpy().tolist()
    rows = {name: model.preprocessor(tensors)[name] for name in ("input_ids", "input_mask", "segment_ids")}
    for name, value in model.predict_inputs(rows).items():
        if value.dtype.is_floating:
            np.testing.assert_allclose(signatures["tokens"](**rows)[name], value, atol=1e-4)


def test_tflite(phone_model, tmp_path):
    model, texts = phone_model, texts_for(phone_model)
    path = tmp_path / "model.tflite"
    report = export_tflite(model, path, [40], texts, "none")
    assert report["error"][40] < 1e-4
    device = on_device(model, LiteRTModel(path))
    keras = at_length(model, 40)  # reads one row, like the file, except for tasks that always cut windows
    for found, expected in zip(device.predict_text(texts), keras.predict_text(texts), strict=True):
        _same(found, expected)


@pytest.mark.parametrize("name", PRETRAINED)
def test_tasks_for_servers_only(name, tmp_path):
    model = PRETRAINED[name](Tokenizer(VOCABULARY, TextConfig(special_tokens=True)))
    with pytest.raises(ConfigError, match=f"cannot hold the task {model.TASK}"):
        export_tflite(model, tmp_path / "model.tflite", [40], texts_for(model))


def _same(found, expected):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            _same(found[name], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for item, value in zip(found, expected, strict=True):
            _same(item, value)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-3)
    else:
        assert found == expected
