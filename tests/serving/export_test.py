"""Answers of the server for a real export agree with Keras, for every signature and API."""

import concurrent.futures

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.export.attention import attention
from bert_tf.export.saved_model import export_saved_model
from bert_tf.serving.batcher import BatchingConfig
from bert_tf.serving.models import ModelConfig
from bert_tf.tasks import TextClassifier
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.serving.conftest import running

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "café", "cafe", "good", "bad", "##ly", "我", ".", "a"]
LABELS = ["x", "y", "z"]
TEXTS = ["A good Café", "bad", "", "我 goodly bad. " * 9, "🙂", "a." * 50]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    sizes = {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "intermediate_size": 64, "max_positions": 64}
    sizes["initializer_range"] = 0.5  # answers that differ from text to text
    return TextClassifier(Tokenizer(VOCABULARY), LABELS, max_length=64, vocab_size=len(VOCABULARY), **sizes)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    path, _ = export_saved_model(model, tmp_path_factory.mktemp("models") / "real", TEXTS[:2], attention=True)
    models = (ModelConfig("real", path.parent),)
    with running(None, models, batching=BatchingConfig(8, batch_timeout_micros=2000)) as client:
        yield client


def probabilities(answers):
    return [list(answer["probabilities"].values()) for answer in answers]


def test_texts_in_batches(model, exported):
    def ask(text):
        status, answer = exported.post("/v1/models/real:predict", {"instances": [text]})
        assert status == 200
        return answer["predictions"][0]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = list(pool.map(ask, TEXTS * 8))
    expected = model.predict_text(TEXTS) * 8
    assert len({answer["label"] for answer in expected}) > 1
    assert [answer["label"] for answer in found] == [answer["label"] for answer in expected]
    np.testing.assert_allclose([answer["probabilities"] for answer in found], probabilities(expected), atol=1e-4)
    batches = float(exported.text("/metrics").split("bert_tf_batch_rows_count ")[1].split()[0])
    assert batches < len(found)  # some ran together


def test_pairs_tokens_and_examples(model, exported):
    pair = {"text": [TEXTS[0]], "text_pair": [TEXTS[3]]}
    answer = exported.post("/v1/models/real:predict", {"signature_name": "pair", "inputs": pair})[1]["outputs"]
    expected = model.predict_text(([TEXTS[0]], [TEXTS[3]]))
    np.testing.assert_allclose(answer["probabilities"], probabilities(expected), atol=1e-4)
    tokens = {name: value.numpy().tolist() for name, value in model.preprocessor(tf.constant(TEXTS[:1])).items()}
    answer = exported.post("/v1/models/real:predict", {"signature_name": "tokens", "inputs": tokens})[1]["outputs"]
    expected = probabilities(model.predict_text(TEXTS[:1]))
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-4)
    body = {"signature_name": "examples", "examples": [{"text": TEXTS[0]}]}
    (result,) = exported.post("/v1/models/real:classify", body)[1]["results"]
    assert [label for label, _ in result] == LABELS
    np.testing.assert_allclose([[score for _, score in result]], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"input_mask": [[1, 1]]},
            "assertion failed: [input_mask does not have the shape of input_ids:] [1 2] [and] [1 3]",
        ),
        ({"input_ids": [[2, -1, 3]]}, "input_ids is from 0 to below"),
        ({"input_ids": [[2, 13, 3]]}, "input_ids is from 0 to below"),
        ({"input_ids": [[2, 7], [3]]}, "input_ids: rows of unequal length."),
        ({"input_ids": [2, 7, 3]}, "input_ids: received the shape [3], expected (None, None)"),
        ({"input_ids": [[]], "input_mask": [[]], "segment_ids": [[]]}, "tokens. Received:] [0]"),
    ],
)
@pytest.mark.parametrize("signature", ["tokens", "logits"])
def test_tokens_that_cannot_be_read_are_refused(exported, signature, changes, message):
    tokens = {"input_ids": [[2, 7, 3]], "input_mask": [[1, 1, 1]], "segment_ids": [[0, 0, 0]]} | changes
    body = {"signature_name": signature, "inputs": tokens}
    status, answer = exported.post("/v1/models/real:predict", body)
    assert status == 400
    assert message in answer["error"]
    assert "\n" not in answer["error"]


def test_attention(model, exported):
    body = {"signature_name": "attention", "inputs": TEXTS[:2]}
    answer = exported.post("/v1/models/real:predict", body)[1]["outputs"]
    assert answer["pieces"] == [["[CLS]", "a", "good", "cafe", "[SEP]"], ["[CLS]", "bad", "[SEP]", "", ""]]
    expected = attention(model, [tf.constant(TEXTS[:2])])["attention"]
    assert expected.shape == (2, 2, 5, 5)
    np.testing.assert_allclose(answer["attention"], expected, atol=1e-4)


def test_the_page_gets_labels_and_an_example(model, exported):
    status, answer = exported.get("/models")
    (version,) = answer["real"]
    assert (status, version["version"], version["labels"]) == (200, "1", LABELS)
    assert version["card"]["summary"] == model.purpose
    assert version["card"]["example"]["text"] == model.SPEC.example[0]
