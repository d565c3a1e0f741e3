"""Every task as SavedModel and as TFLite: answers agree with Keras."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import ConfigError
from bert_tf.core.features import ENCODER_INPUTS
from bert_tf.export.litert_model import LiteRTModel
from bert_tf.export.litert_task import at_length, on_device
from bert_tf.export.saved_model import export_saved_model
from bert_tf.export.signatures import named_classes
from bert_tf.export.tflite import export_tflite
from bert_tf.tasks import (
    FillMask,
    MultipleChoice,
    NextSentence,
    QuestionAnswerer,
    TextClassifier,
    TextEmbedder,
    TextTagger,
)
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


SERVER_ONLY = {
    "masks": lambda tokenizer: FillMask(tokenizer, max_length=40, **ENCODER),
    "next": lambda tokenizer: NextSentence(tokenizer, max_length=40, **ENCODER),
    "choice": lambda tokenizer: MultipleChoice(tokenizer, max_length=40, **ENCODER),
}


def make(request):
    return (MODELS | SERVER_ONLY)[request.param](Tokenizer(VOCABULARY, TextConfig(special_tokens=True)))


# Their graphs are made of parts of the others', and tests/tasks/contract_test.py has their answers in one graph.
REPEATED = ("labels", "next")


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.soak if name in REPEATED else ()) for name in (*MODELS, *SERVER_ONLY)],
)
def model(request):
    return make(request)


@pytest.fixture(scope="module", params=list(MODELS))
def phone_model(request):
    return make(request)


def texts_for(model):
    if model.SPEC.last_text_is_list:
        return TEXTS, [TEXTS[::-1]] * 3
    return tuple([TEXTS, TEXTS[::-1]][: len(model.TEXTS) - len(model.OPTIONAL_TEXTS)])


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """(version's folder, difference to Keras, what TensorFlow loaded for the comparison)."""
    load, loaded = tf.saved_model.load, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.saved_model, "load", lambda folder: loaded.append(load(folder)) or loaded[-1])
        version, difference = export_saved_model(model, tmp_path_factory.mktemp("exported"), texts_for(model))
    return version, difference, loaded[-1]


def encoder_rows(model):
    rows = model.preprocessor(model.preprocessor.encode_texts(texts_for(model)))
    return {name: rows[name] for name in ENCODER_INPUTS}


def test_saved_model(model, exported):
    _, difference, loaded = exported
    signatures = loaded.signatures
    assert difference < 1e-4
    tensors = model.preprocessor.encode_texts(texts_for(model))
    served = signatures["serving_default"](**dict(zip(model.TEXTS, tensors, strict=False)))
    expected = named_classes(model, model.serve(*tensors))
    assert served.keys() == expected.keys()
    for name, value in expected.items():
        if value.dtype == tf.string or value.dtype.is_integer:
            assert served[name].numpy().tolist() == value.numpy().tolist()
    rows = encoder_rows(model)
    for name, value in model.predict_inputs(rows).items():
        if value.dtype.is_floating:
            np.testing.assert_allclose(signatures["tokens"](**rows)[name], value, atol=1e-4)


def test_logits_compile_with_xla_and_convert_to_tflite(model, exported):
    version, _, loaded = exported
    signatures = loaded.signatures
    rows = model.preprocessor.complete(encoder_rows(model))
    rows = {name: rows[name][:1] for name in model.INPUTS}
    expected = model({name: tf.constant(value) for name, value in rows.items()}, training=False)
    if not isinstance(expected, dict):
        expected = {"logits" if model.SPEC.head else "vectors": expected}
    compiled = tf.function(lambda **inputs: signatures["logits"](**inputs), jit_compile=True)(**rows)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(version), signature_keys=["logits"])
    runner = Interpreter(model_content=converter.convert()).get_signature_runner("logits")
    on_phone = runner(**{name: value.numpy() for name, value in rows.items()})
    for found in (signatures["logits"](**rows), compiled, on_phone):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, atol=1e-4)


@pytest.mark.parametrize("signature", ["tokens", "logits"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_mask": [[1, 1]]}, "input_mask does not have the shape of input_ids:. ..*1 2. .and. ..*1 3."),
        ({"input_mask": [[1, 1, 1, 1]]}, "input_mask does not have the shape"),
        ({"segment_ids": [[0]]}, "segment_ids does not have the shape"),
        ({"input_mask": [[1, 1, 1]] * 2}, "input_mask does not have the shape"),
        ({"input_ids": [[2, -1, 3]]}, "input_ids is from 0 to below. .11. .only. Received:. .*2 -1 3."),
        ({"input_ids": [[2, 11, 3]]}, "input_ids is from 0 to below"),
        ({"segment_ids": [[0, 0, 2]]}, "segment_ids is from 0 to below"),
        ({"segment_ids": [[0, 0, -1]]}, "segment_ids is from 0 to below"),
        ({"input_mask": [[1, 1, 5]]}, "input_mask is from 0 to below"),
        ({"input_mask": [[1, -1, 1]]}, "input_mask is from 0 to below"),
        (dict.fromkeys(ENCODER_INPUTS, [[]]), "Rows have 1 to. .80."),
        (dict.fromkeys(ENCODER_INPUTS, [[1] * 81]), "Rows have 1 to. .80. .tokens. Received:. .81."),
        ({"input_ids": [2, 7, 3]}, ""),
        ({"input_ids": [[[2, 7, 3]]]}, ""),
    ],
)
def test_tokens_that_cannot_be_read_are_an_error(model, exported, signature, changes, message):
    inputs = {"input_ids": [[2, 7, 3]], "input_mask": [[1, 1, 1]], "segment_ids": [[0, 0, 0]]}
    positions = {"masked_lm_positions": [[1]]} if signature == "logits" and len(model.INPUTS) > 3 else {}
    inputs = {name: tf.constant(value, tf.int32) for name, value in (inputs | changes | positions).items()}
    if model.SPEC.last_text_is_list:
        inputs = {name: value[tf.newaxis] for name, value in inputs.items()}
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        exported[2].signatures[signature](**inputs)


def test_texts_of_unequal_number_are_an_error(model, exported):
    if len(model.TEXTS) == 1:
        pytest.skip("takes one text")
    signature = exported[2].signatures["pair" if model.OPTIONAL_TEXTS else "serving_default"]
    for counts in ([1, 3], [3, 1], [2, 3]):
        columns = {name: tf.constant(["good"] * n) for name, n in zip(model.TEXTS, counts, strict=True)}
        if model.SPEC.last_text_is_list:
            columns[model.TEXTS[-1]] = columns[model.TEXTS[-1]][:, tf.newaxis]
        with pytest.raises(tf.errors.InvalidArgumentError):
            signature(**columns)


def test_tflite(phone_model, tmp_path):
    model, texts = phone_model, texts_for(phone_model)
    path = tmp_path / "model.tflite"
    report = export_tflite(model, path, [40], texts, "none")
    assert report["error"][40] < 1e-4
    device = on_device(model, LiteRTModel(path))
    keras = at_length(model, 40)  # reads one row, like the file, except for tasks that always cut windows
    for found, expected in zip(device.predict_text(texts), keras.predict_text(texts), strict=True):
        _same(found, expected)


@pytest.mark.parametrize("name", SERVER_ONLY)
def test_tasks_for_servers_only(name, tmp_path):
    model = SERVER_ONLY[name](Tokenizer(VOCABULARY, TextConfig(special_tokens=True)))
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
