"""Pretraining models of the families against transformers' numbers, and the detection of replaced tokens by hand."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from bert_tf.core.errors import ConfigError
from bert_tf.modeling import replaced_token_pretrainer
from bert_tf.modeling.families import FAMILIES
from bert_tf.modeling.ops.sampling import sample_ids
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.modeling.replaced_token_pretrainer import ReplacedTokenPretrainer, generator_config
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.weights import read_model, write_model
from tests.modeling.backends import loss_and_gradients
from tests.modeling.families.bert_test import SIZES, assert_close
from tests.modeling.families.family_golden_test import inputs_of

ELECTRA = SIZES | {"embedding_size": 6, "hidden_dropout": 0.0, "attention_dropout": 0.0}
IDS = np.array([[2, 5, 4, 7, 3, 0], [2, 4, 8, 4, 9, 3]], "int32")  # 4 is the mask
ORIGINAL = np.array([[2, 5, 6, 7, 3, 0], [2, 10, 8, 11, 9, 3]], "int32")
INPUTS = {"input_ids": IDS, "masked_lm_positions": np.array([[2, 0], [1, 3]], "int32")}
TARGETS = {"masked_lm_logits": np.array([[6, 0], [10, 11]], "int32"), "replaced_token_logits": ORIGINAL}
WEIGHTS = {
    "masked_lm_logits": np.array([[1, 0], [1, 1]], "float32"),
    "replaced_token_logits": (IDS > 0).astype("float32"),
}


@pytest.fixture
def model():
    keras.utils.set_random_seed(1)
    return ReplacedTokenPretrainer(generator_size=0.5, **ELECTRA)


def all_positions(expected):
    batch, length = expected["input_ids"].shape
    return inputs_of(expected) | {"masked_lm_positions": np.tile(np.arange(length, dtype="int32"), (batch, 1))}


@pytest.mark.parametrize("training", [False, True])
def test_heads_give_the_numbers_of_transformers(golden, training):
    families = golden / "families"

    def opened(name, kind):
        model = kind.from_pretrained(families / name)
        for layer in model._flatten_layers():
            layer.rate = 0.0  # of dropout
        return model, dict(np.load(families / name / "expected.npz"))

    model, expected = opened("electra_discriminator", ReplacedTokenPretrainer)
    assert_close(model.detect(inputs_of(expected), training), expected["logits"], 1e-4)
    model, expected = opened("electra_generator", BertPretrainer)
    outputs = model(all_positions(expected), training=training)
    assert_close(outputs["masked_lm_logits"], expected["logits"], 1e-4)
    model, expected = opened("albert_pretraining", BertPretrainer)
    outputs = model(all_positions(expected), training=training)
    assert_close(outputs["masked_lm_logits"], expected["prediction_logits"], 1e-4)
    assert_close(outputs["next_sentence_logits"], expected["sop_logits"], 1e-4)


def test_the_generator_shares_the_tables_and_their_norm(model):
    ours, theirs = model.encoder.embeddings, model.generator.encoder.embeddings
    for name in ("token", "position", "segment", "norm"):
        assert getattr(ours, name) is getattr(theirs, name)
    assert ours.projection is not theirs.projection
    assert model.generator.config == generator_config(model.config, 0.5)
    assert model.generator.named_weights["encoder/embeddings/projection/kernel"].shape == (6, 4)
    assert len({id(variable) for variable in model.variables}) == len(model.variables)
    _, gradients = loss_and_gradients(
        model.generator, lambda: ops.sum(model(INPUTS, training=True)["replaced_token_logits"] ** 2)
    )
    reached = {name.split("/")[2] for name, gradient in gradients.items() if np.any(gradient)}
    assert reached == {"token", "position", "segment", "norm"}  # no gradient goes through the samples


@pytest.mark.parametrize(
    ("config", "share", "width", "heads"), [((768, 12), 1 / 3, 256, 4), ((256, 4), 0.25, 64, 1), ((128, 2), 0.3, 38, 1)]
)
def test_sizes_of_the_generator(config, share, width, heads):
    found = generator_config(FAMILIES["electra"].config(hidden_size=config[0], num_heads=config[1]), share)
    assert (found.hidden_size, found.num_heads, found.num_layers) == (width, heads, 12)


def test_labels_and_losses_by_hand(model, monkeypatch):
    sampled = np.array([[6, 9], [12, 11]], "int32")  # original; of no position; replaced; original
    monkeypatch.setattr(replaced_token_pretrainer, "sample_ids", lambda logits, seed: ops.convert_to_tensor(sampled))
    model.compile(keras.optimizers.SGD(0.0))
    outputs = model(INPUTS)
    np.testing.assert_array_equal(outputs["input_ids"], [[2, 5, 6, 7, 3, 0], [2, 12, 8, 11, 9, 3]])
    logits = ops.convert_to_numpy(outputs["replaced_token_logits"])
    labels = np.zeros((2, 6))
    labels[1, 1] = 1
    losses = np.log1p(np.exp(-logits * (2 * labels - 1)))
    real = IDS > 0
    scores = model.evaluate(INPUTS, TARGETS, sample_weight=WEIGHTS, verbose=0, return_dict=True)
    assert scores["replaced_token_logits_loss"] == pytest.approx(losses[real].mean(), rel=1e-5)
    assert scores["replaced_token_logits_accuracy"] == pytest.approx(((logits > 0) == labels)[real].mean())
    generated = model.generator(INPUTS)["masked_lm_logits"]
    of_masks = -np.asarray(ops.log_softmax(generated))[[0, 1, 1], [0, 0, 1], [6, 10, 11]]
    assert scores["masked_lm_logits_loss"] == pytest.approx(of_masks.mean(), rel=1e-5)
    assert scores["loss"] == pytest.approx(of_masks.mean() + 50 * losses[real].mean(), rel=1e-5)


def test_packed_rows_have_the_losses_of_their_examples(model, monkeypatch):
    monkeypatch.setattr(
        replaced_token_pretrainer, "sample_ids", lambda logits, seed: ops.cast(ops.argmax(logits, -1), "int32")
    )
    model.compile(keras.optimizers.SGD(0.0))
    alone = model.evaluate(INPUTS, TARGETS, sample_weight=WEIGHTS, verbose=0, return_dict=True)
    packed = {
        "input_ids": np.concatenate([IDS[:1, :5], IDS[1:]], 1),
        "position_ids": np.array([[*range(5), *range(6)]]),
        "example_ids": np.array([[1] * 5 + [2] * 6]),
        "cls_positions": np.array([[0, 5]]),
        "masked_lm_positions": np.array([[2, 6, 8]]),
    }
    packed = {name: value.astype("int32") for name, value in packed.items()}
    targets = {
        "masked_lm_logits": np.array([[6, 10, 11]]),
        "replaced_token_logits": np.concatenate([ORIGINAL[:1, :5], ORIGINAL[1:]], 1),
    }
    weights = {"masked_lm_logits": np.ones((1, 3)), "replaced_token_logits": np.ones((1, 11))}
    found = model.evaluate(packed, targets, sample_weight=weights, verbose=0, return_dict=True)
    assert found == pytest.approx(alone, rel=1e-5)


def test_it_learns(model):
    model.compile(keras.optimizers.Adam(0.01))
    losses = [model.train_on_batch(INPUTS, TARGETS, WEIGHTS, return_dict=True) for _ in range(40)]
    assert losses[-1]["masked_lm_logits_loss"] < 0.8 * losses[0]["masked_lm_logits_loss"]
    assert losses[-1]["replaced_token_logits_loss"] < 0.8 * losses[0]["replaced_token_logits_loss"]


def test_folders_hold_encoder_and_generator_in_other_projects_names_too(model, tmp_path):
    tokenizer = Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(25))])
    model.save_pretrained(tmp_path / "model", tokenizer)
    model.save_pretrained(tmp_path / "model", tokenizer, overwrite=True)
    opened = ReplacedTokenPretrainer.from_pretrained(tmp_path / "model")
    assert opened.generator_size == 0.5
    for variable, other in zip(model.weights[:-1], opened.weights[:-1], strict=True):  # the last one is the seed
        np.testing.assert_array_equal(variable, other)
    for folder, architecture in (("model", "ElectraForPreTraining"), ("model/generator", "ElectraForMaskedLM")):
        target = tmp_path / architecture
        write_model(read_model(tmp_path / folder), target, "huggingface")
        assert json.loads((target / "config.json").read_text())["architectures"] == [architecture]


def test_samples_have_the_probabilities_of_the_logits():
    probabilities = np.array([0.5, 0.0, 0.3, 0.2])
    with np.errstate(divide="ignore"):
        logits = np.maximum(np.log(probabilities), -1e9)
    logits = np.broadcast_to(logits.astype("float32"), (100, 200, 4))
    drawn = ops.convert_to_numpy(sample_ids(ops.convert_to_tensor(logits), np.array([3, 4], "uint32")))
    assert drawn.shape == (100, 200)
    np.testing.assert_allclose(np.bincount(drawn.ravel(), minlength=4) / drawn.size, probabilities, atol=0.012)
    other = ops.convert_to_numpy(sample_ids(ops.convert_to_tensor(logits), np.array([3, 5], "uint32")))
    assert 0.3 < np.mean(drawn == other) < 0.45  # 0.38 if they are independent


@pytest.mark.parametrize("size", [0, 1.5, "half", None])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(ConfigError, match=r"generator_size=.*must be in \(0, 1\]"):
        ReplacedTokenPretrainer(generator_size=size, **ELECTRA)
