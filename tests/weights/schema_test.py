"""Shapes come from the model without a trace of it; heads that no table names; folders of version 0.1."""

import dataclasses
import json
import random

import keras
import numpy as np
import pytest

from bert_tf.core import registry
from bert_tf.core.errors import InputError
from bert_tf.modeling.families.bert import BertConfig
from bert_tf.modeling.families.bilstm import BiLSTMConfig, BiLSTMEncoder
from bert_tf.weights import Checkpoint, read_model, schema, write_model
from tests.weights.samples import make


def test_absurd_sizes_allocate_nothing():
    shapes = schema("bert", BertConfig(vocab_size=2**24, hidden_size=2**16, num_heads=1, num_layers=1))
    assert shapes["encoder/embeddings/token/embeddings"] == (2**24, 2**16)


def test_nothing_else_notices_a_schema():
    """Neither default seeds nor Keras's counters of names, on which weights and names of later models depend."""

    def build():
        layer = keras.layers.Dense(2)
        layer.build((None, 3))
        return layer.name, np.array(layer.kernel)

    keras.backend.clear_session()
    keras.utils.set_random_seed(3)
    expected_name, expected = build()
    keras.backend.clear_session()
    keras.utils.set_random_seed(3)
    state = random.getstate()
    schema("bilstm", BiLSTMConfig(hidden_size=22, num_heads=11))
    assert random.getstate() == state
    name, kernel = build()
    assert name == expected_name
    np.testing.assert_array_equal(kernel, expected)


def test_an_error_of_the_model_names_the_folder(tmp_path):
    made = make("encoder")
    strange = dataclasses.replace(made, encoder=dataclasses.replace(made.encoder, activation="swoosh"))
    with pytest.raises(InputError, match=f"{tmp_path}/model: Received: activation='swoosh'"):
        write_model(strange, tmp_path / "model")


@pytest.mark.parametrize(("head", "path"), [("choice", "choice/vars"), ("verdict", "layers/dense/vars")])
def test_a_head_that_no_table_names_is_a_dense_layer(tmp_path, monkeypatch, head, path):
    """Its place is that in which Keras keeps a layer of this name."""
    import h5py

    spec = dataclasses.make_dataclass("Spec", [("head", str)])(head)
    monkeypatch.setattr("bert_tf.weights.formats.model_folder.tasks", lambda: {"new": spec})
    weights = {f"{head}/kernel": np.ones((8, 3), "float32"), f"{head}/bias": np.ones(3, "float32")}
    encoder = make("encoder")
    checkpoint = dataclasses.replace(encoder, weights=encoder.weights | weights, task={"name": "new"})
    write_model(checkpoint, tmp_path / "model")
    with h5py.File(tmp_path / "model" / "model.weights.h5") as file:
        assert file[f"{path}/0"].shape == (8, 3)
    opened = read_model(tmp_path / "model")
    assert opened.weights.keys() == checkpoint.weights.keys()
    np.testing.assert_array_equal(opened.weights[f"{head}/kernel"], weights[f"{head}/kernel"])


def test_folders_of_version_0_1_name_the_family_among_the_sizes(tmp_path):
    model = BiLSTMEncoder(vocab_size=12, hidden_size=8, num_layers=1, num_heads=2)
    model.save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    settings = json.loads(path.read_text())
    assert settings.pop("family") == "bilstm"
    settings["encoder"] |= {"encoder": "bilstm", "intermediate_size": 3072, "type_vocab_size": 2}
    settings["encoder"] |= {"activation": "gelu", "layer_norm_epsilon": 1e-12}
    path.write_text(json.dumps(settings))
    opened = read_model(tmp_path / "model")
    expected = Checkpoint("bilstm", model.config, {}, opened.text)
    assert dataclasses.replace(opened, weights={}) == expected
    for name, array in model.to_weights().items():
        np.testing.assert_array_equal(opened.weights[name], array)
    settings["encoder"]["surprise"] = 1
    path.write_text(json.dumps(settings))
    with pytest.raises(InputError, match="surprise"):
        read_model(tmp_path / "model")


# Weights that a format holds otherwise, or not at all.
SEGMENT, POOLER = "encoder/embeddings/segment/", "encoder/pooler/"
WITHOUT = {
    ("roberta", "keras_hub"): SEGMENT,
    ("xlm_roberta", "keras_hub"): SEGMENT,
    ("electra", "google"): POOLER,
    ("electra", "keras_hub"): POOLER,
}


def test_every_format_of_every_family_has_a_row_for_every_weight():
    """Else weights of a model would be lost, or a name would lead nowhere."""
    for name, family in registry.families().items():
        config = family.config(num_layers=2, hidden_size=8, num_heads=2)
        needed = schema(name, config).keys()
        for format, described in family.formats.items():
            tables = [described.rows(config)]
            tables += [described.rows_of(kind, config) for kind in getattr(described, "class_rows", ())]
            tables += getattr(described, "heads", {}).values()
            for rows in tables:
                parts = {(row.theirs, row.part) for row in rows}
                assert len(parts) == len(rows), (name, format)
            lacking = needed - {row.ours for rows in tables for row in rows}
            without = WITHOUT.get((name, format))
            assert all(without and weight.startswith(without) for weight in lacking), (name, format, lacking)
