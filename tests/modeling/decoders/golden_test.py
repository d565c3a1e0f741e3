"""The logits of transformers' `EncoderDecoderModel`, from its folder and from folders that were read and written."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from keras import ops
from safetensors.numpy import load_file

from bert_tf.core.errors import InputError
from bert_tf.modeling.decoders.model import Seq2Seq
from bert_tf.weights import read_model, write_model


@pytest.fixture(scope="module")
def folder(golden):
    return golden / "families/bert2bert"


@pytest.fixture(scope="module")
def expected(folder):
    return dict(np.load(folder / "expected.npz"))


def logits(model, expected):
    return model(
        {
            "input_ids": expected["input_ids"],
            "input_mask": expected["attention_mask"],
            "target_ids": expected["decoder_input_ids"],
            "target_mask": expected["decoder_attention_mask"],
        }
    )


def test_logits(folder, expected):
    model = Seq2Seq.from_pretrained(folder)
    np.testing.assert_allclose(ops.convert_to_numpy(logits(model, expected)), expected["logits"], rtol=0, atol=1e-4)
    assert (model.start_id, model.end_id) == (2, 3)
    assert model.decoder.config.num_layers == 2


@pytest.mark.parametrize("format", ["huggingface", "bert_tf"])
def test_written_folders_hold_the_same(folder, tmp_path, format):
    checkpoint = read_model(folder)
    assert write_model(checkpoint, tmp_path / "m", format) == []
    again = read_model(tmp_path / "m")
    assert dataclasses.replace(again, weights={}) == dataclasses.replace(checkpoint, weights={})
    assert again.weights.keys() == checkpoint.weights.keys()
    for name, value in checkpoint.weights.items():
        np.testing.assert_array_equal(again.weights[name], value)
    if format == "huggingface":
        theirs, written = (load_file(path / "model.safetensors") for path in (folder, tmp_path / "m"))
        assert {name: value.shape for name, value in written.items()} == {n: v.shape for n, v in theirs.items()}


@pytest.mark.parametrize(
    "settings", [{"share_weights": True}, {"architecture": "prefix"}, {"decoder": {"num_layers": 1}}]
)
def test_saved_models_open_again(expected, tmp_path, settings):
    model = Seq2Seq(
        vocab_size=307,
        hidden_size=24,
        num_layers=2,
        num_heads=2,
        intermediate_size=32,
        start_id=2,
        end_id=3,
        **settings,
    )
    model.save_pretrained(tmp_path / "m")
    again = Seq2Seq.from_pretrained(tmp_path / "m")
    np.testing.assert_array_equal(logits(again, expected), logits(model, expected))
    assert again.to_weights().keys() == model.to_weights().keys()
    assert (again.architecture, again.start_id) == (model.architecture, 2)


def test_shared_weights_are_written_twice_for_transformers(expected, tmp_path):
    model = Seq2Seq(vocab_size=307, hidden_size=24, num_layers=2, num_heads=2, intermediate_size=32, share_weights=True)
    notes = write_model(model.to_checkpoint(), tmp_path / "m", "huggingface")
    assert [note for note in notes if "those of the encoder are there twice" in note]
    again = Seq2Seq.from_pretrained(tmp_path / "m", share_weights=False)
    np.testing.assert_allclose(logits(again, expected), logits(model, expected), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": 36}, "a decoder with vectors of 36 numbers for an encoder with 48"),
        ({"model_type": "roberta"}, "a decoder of 'roberta'"),
        ({"num_hidden_layers": 3}, "weights are missing"),
    ],
)
def test_a_decoder_that_does_not_fit_is_refused(folder, tmp_path, change, message):
    shutil.copytree(folder, tmp_path / "m", copy_function=shutil.copyfile)
    settings = json.loads((folder / "config.json").read_text())
    settings["decoder"] |= change
    (tmp_path / "m").chmod(0o755)
    (tmp_path / "m/config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match=message) as caught:
        read_model(tmp_path / "m")
    assert "\n" not in str(caught.value)
