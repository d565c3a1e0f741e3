"""Whether a text follows another, with the head of a pretrained model."""

import numpy as np
import pytest
import tensorflow as tf

import bert_tf
from bert_tf.core.errors import InputError
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.tasks.next_sentence.task import NextSentence
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.fill_mask.task_test import SIZES, VOCABULARY


@pytest.fixture(scope="module")
def pretrainer():
    return BertPretrainer(initializer_range=0.5, **SIZES)


@pytest.fixture(scope="module")
def model(pretrainer, tmp_path_factory):
    path = tmp_path_factory.mktemp("pretrained") / "model"
    pretrainer.save_pretrained(path, Tokenizer(VOCABULARY))
    return NextSentence.from_pretrained(path)


def test_probability_is_that_of_really_next(pretrainer, model):
    """The pretrainer's logits for [CLS] a b [SEP] c [SEP], of which class 0 is "really next"."""
    inputs = {
        "input_ids": np.array([[2, 5, 6, 3, 7, 3]]),
        "input_mask": np.ones((1, 6), int),
        "segment_ids": np.array([[0, 0, 0, 0, 1, 1]]),
        "masked_lm_positions": np.zeros((1, 1), int),
    }
    logits = pretrainer(inputs)["next_sentence_logits"][0].numpy()
    assert abs(logits[0] - logits[1]) > 0.01
    expected = np.exp(logits[0]) / np.exp(logits).sum()
    answer, _ = model.predict_text((["a b", "c"], ["c", "a"]))
    assert answer == {"probability": pytest.approx(float(expected), abs=1e-5)}
    in_graph = model.serve(tf.constant(["a b"]), tf.constant(["c"]))["probability"]
    np.testing.assert_allclose(in_graph, [expected], atol=1e-5)


def test_own_folder(model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    pairs = (["a"], ["b c"])
    assert bert_tf.load(tmp_path / "model").predict_text(pairs) == model.predict_text(pairs)


def test_a_pair_is_needed(model):
    with pytest.raises(InputError, match="text, text_pair"):
        model.predict_text(["a"])
