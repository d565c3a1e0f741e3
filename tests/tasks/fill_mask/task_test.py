"""Filling masks with a model whose answer is known, opened from a pretrained model's folder."""

import numpy as np
import pytest
import tensorflow as tf

import bert_tf
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.families.bert import BertEncoder
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.tasks.fill_mask.task import FillMask
from bert_tf.text.tokenizers.wordpiece import Tokenizer

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c"]
SIZES = {
    "vocab_size": 8,
    "hidden_size": 8,
    "num_layers": 1,
    "num_heads": 2,
    "intermediate_size": 16,
    "max_positions": 12,
}


@pytest.fixture(scope="module")
def pretrainer():
    return BertPretrainer(masked_lm_activation="relu", initializer_range=0.5, **SIZES)


@pytest.fixture(scope="module")
def folder(pretrainer, tmp_path_factory):
    path = tmp_path_factory.mktemp("pretrained") / "model"
    pretrainer.save_pretrained(path, Tokenizer(VOCABULARY))
    return path


@pytest.fixture(scope="module")
def model(folder):
    return FillMask.from_pretrained(folder, top_k=8)


def test_every_mask_is_filled_as_the_pretrainer_scores_its_place(pretrainer, model):
    ids = np.array([[2, 5, 4, 7, 4, 3]])
    every = pretrainer(
        {
            "input_ids": ids,
            "input_mask": np.ones_like(ids),
            "segment_ids": np.zeros_like(ids),
            "masked_lm_positions": np.arange(6)[None],
        }
    )["masked_lm_logits"][0].numpy()
    first, second = model.predict_text(["a [MASK] c [MASK]", "[MASK]"])
    assert len(second["pieces"]) == len(second["scores"]) == 1
    for place, pieces, scores in zip((2, 4), first["pieces"], first["scores"], strict=True):
        expected = np.exp(every[place]) / np.exp(every[place]).sum()
        assert pieces == [VOCABULARY[i] for i in np.argsort(-expected)]
        np.testing.assert_allclose(scores, np.sort(expected)[::-1], rtol=1e-4)


def test_best_pieces_come_first(folder):
    model = FillMask.from_pretrained(folder, top_k=3)
    model.masked_lm.bias.assign(np.array([0, 0, 0, 0, 0, 60, 120, 90], "float32"))  # far above every other score
    (filled,) = model.predict_text(["a [MASK] c"])
    assert filled["pieces"] == [["b", "c", "a"]]
    assert filled["scores"][0][0] == pytest.approx(1, abs=1e-3)


def test_the_head_is_the_folders(model, pretrainer):
    assert model.masked_lm_activation == "relu"
    np.testing.assert_array_equal(model.masked_lm.transform.kernel, pretrainer.masked_lm.transform.kernel)


def test_own_folder(model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    loaded = bert_tf.load(tmp_path / "model")
    assert isinstance(loaded, FillMask)
    assert (loaded.top_k, loaded.max_length, loaded.tokenizer.config.special_tokens) == (8, 12, True)
    assert loaded.predict_text(["a [MASK]"]) == model.predict_text(["a [MASK]"])


def test_one_graph_from_strings_to_pieces(model):
    graph = tf.function(model.serve, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    answers = graph(tf.constant(["a [MASK] c [MASK]", "b", "[MASK]"]))
    assert answers["pieces"].shape == (3, 2, 8)
    assert answers["pieces"][1].numpy().tolist() == [[b""] * 8] * 2
    assert np.sum(answers["scores"], -1) == pytest.approx(np.array([[1, 1], [0, 0], [1, 0]]), abs=1e-5)
    inputs = model.preprocessor(tf.constant(["a [MASK]"]))
    alone = model.predict_inputs({name: inputs[name] for name in ("input_ids", "input_mask", "segment_ids")})
    np.testing.assert_array_equal(alone["pieces"], model.serve(tf.constant(["a [MASK]"]))["pieces"])


def test_text_without_mask(model):
    with pytest.raises(InputError, match=r"Row 1: 'a b' has no \[MASK\]"):
        model.predict_text(["a [MASK]", "a b"])
    with pytest.raises(InputError, match=r"Row 0: .* in its first 12 tokens"):
        model.predict_text(["a " * 20 + "[MASK]"])


def test_a_model_without_the_head(tmp_path):
    BertEncoder(**SIZES).save_pretrained(tmp_path / "encoder", Tokenizer(VOCABULARY))
    with pytest.raises(InputError, match="has no masked_lm head from pretraining; it has: encoder"):
        FillMask.from_pretrained(tmp_path / "encoder")


def test_a_vocabulary_without_a_mask(tmp_path):
    pieces = [*VOCABULARY[:4], "x", *VOCABULARY[5:]]
    BertPretrainer(**SIZES).save_pretrained(tmp_path / "model", Tokenizer(pieces))
    with pytest.raises(InputError, match=r"no \[MASK\]"):
        FillMask.from_pretrained(tmp_path / "model")


def test_more_pieces_than_there_are(folder):
    with pytest.raises(ConfigError, match="top_k=9"):
        FillMask.from_pretrained(folder, top_k=9)


def test_rows_that_pad_the_embedding_are_never_an_answer(tmp_path):
    pretrainer = BertPretrainer(**SIZES | {"vocab_size": 64})
    bias = np.zeros(64, "float32")
    bias[8:], bias[6] = 100, 10
    pretrainer.masked_lm.bias.assign(bias)
    pretrainer.save_pretrained(tmp_path / "model", Tokenizer(VOCABULARY))
    answer = FillMask.from_pretrained(tmp_path / "model", top_k=2).predict_text(["a [MASK]"])[0]
    assert answer["pieces"][0][0] == "b"
    assert answer["scores"][0][0] > 0.99
