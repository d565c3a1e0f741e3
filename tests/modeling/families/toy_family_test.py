"""A family added in one file: its models are trained, saved, loaded, converted and exported."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from keras import ops

import bert_tf
from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.families import FAMILIES
from bert_tf.modeling.families.base import Encoder, EncoderConfig, EncoderFamily
from bert_tf.modeling.layers.dense import dense
from bert_tf.modeling.layers.pooling import pool
from bert_tf.weights import FORMATS, read_model, schema, write_model
from bert_tf.weights.formats.base import FamilyFormat
from bert_tf.weights.weight_table import Row, keras_dense
from tests.tasks.samples import LABELS, TEXTS, VOCABULARY

if keras.backend.backend() != "tensorflow":
    pytest.skip("tasks read strings in TensorFlow's graphs", allow_module_level=True)


@dataclasses.dataclass(frozen=True)
class ToyConfig(EncoderConfig):
    spice: float = 1.0  # a setting that no other family has


class ToyEncoder(Encoder):
    """The mean of the token embeddings through one dense layer, for every token the same vector."""

    family = "toy"
    config_class = ToyConfig

    def __init__(self, name="encoder", dtype=None, trainable=True, **settings):
        super().__init__(name=name, dtype=dtype, trainable=trainable, **settings)
        size = self.config.hidden_size
        self.embeddings = keras.layers.Embedding(self.config.vocab_size, size, name="embeddings")
        self.layer = dense(size, self.config.initializer_range, activation="tanh", name="layer")
        self.build()

    def build(self, input_shape=None):
        self.embeddings.build()
        self.layer.build((None, self.config.hidden_size))

    @property
    def stages(self):
        return [self.embeddings, self.layer]

    def call(self, inputs, training=None, cls_only=False):
        vectors = self.config.spice * self.embeddings(inputs[features.INPUT_IDS])  # [B, S, D]
        pooled = self.layer(pool(vectors, inputs[features.INPUT_MASK], "mean"))  # [B, D]
        sequence = ops.expand_dims(pooled, 1) + 0 * vectors  # [B, S, D]
        return {features.SEQUENCE_OUTPUT: sequence, features.POOLED_OUTPUT: pooled}


def rows(config):
    del config
    table = Row("encoder/embeddings/embeddings", "encoder/embeddings/vars/0")
    return [table, *keras_dense("encoder/layer", "encoder/layer")]


TOY = EncoderFamily(
    name="toy",
    config=ToyConfig,
    encoder=ToyEncoder,
    tokenizer_place="bert_tf.text.tokenizers.wordpiece:WordPieceTokenizer",
    formats={"bert_tf": FamilyFormat(rows=rows)},
)
SIZES = {"vocab_size": len(VOCABULARY), "hidden_size": 8, "num_heads": 2, "max_positions": 16, "spice": 2.0}


@pytest.fixture(scope="module", autouse=True)
def toy():
    with FAMILIES.added(TOY):
        yield


@pytest.fixture(scope="module")
def model(toy):
    """A classifier that has taken one step."""
    from bert_tf.tasks import TextClassifier

    keras.utils.set_random_seed(0)
    model = TextClassifier(TOY.tokenizer(VOCABULARY), ["neg", "pos"], max_length=12, encoder="toy", **SIZES)
    before = model.to_weights()
    model.compile(keras.optimizers.Adam(0.1))
    model.fit(TEXTS, LABELS, batch_size=len(TEXTS), verbose=0)
    assert all(np.any(array != before[name]) for name, array in model.to_weights().items())
    return model


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy") / "model"
    model.save_pretrained(folder)
    return folder


def test_schema_is_derived_from_the_model():
    shapes = {"embeddings/embeddings": (12, 8), "layer/kernel": (8, 8), "layer/bias": (8,)}
    assert schema("toy", ToyConfig(**SIZES)) == {f"encoder/{name}": shape for name, shape in shapes.items()}


def test_saved_and_loaded(model, folder):
    settings = json.loads((folder / "config.json").read_text())
    assert (settings["family"], settings["encoder"]["spice"]) == ("toy", 2.0)
    loaded = bert_tf.load(folder)
    assert isinstance(loaded.encoder, ToyEncoder)
    assert (loaded.family, loaded.config) == ("toy", ToyConfig(**SIZES))
    assert loaded.predict_text(TEXTS[:4]) == model.predict_text(TEXTS[:4])
    loaded.encoder.layer.kernel.assign(0 * loaded.encoder.layer.kernel)
    loaded.load_weights(folder / "model.weights.h5")  # as Keras reads it
    assert loaded.predict_text(TEXTS[:4]) == model.predict_text(TEXTS[:4])


def test_converted(folder, tmp_path):
    checkpoint = read_model(folder)
    assert write_model(checkpoint, tmp_path / "again") == []
    again = read_model(tmp_path / "again")
    assert dataclasses.replace(again, weights={}) == dataclasses.replace(checkpoint, weights={})
    for name, array in checkpoint.weights.items():
        np.testing.assert_array_equal(again.weights[name], array)


@pytest.mark.parametrize("format", sorted(FORMATS.keys() - {"bert_tf"}))
def test_refused_by_formats_without_rows_for_it(folder, tmp_path, format):
    with pytest.raises(InputError) as caught:
        write_model(read_model(folder), tmp_path / "model", format)
    message = f"The format {format} cannot hold an encoder of the family 'toy'. Choose bert_tf."
    assert str(caught.value) == message
    assert not list(tmp_path.iterdir())


def test_wrong_folders_are_refused(folder, tmp_path):
    with pytest.raises(InputError, match="family 'toy', not 'bert'"):
        bert_tf.BertEncoder.from_pretrained(folder)
    with pytest.raises(ConfigError, match="spicy=1"):
        ToyEncoder(spicy=1)
    write_model(read_model(folder), tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    path.write_text(path.read_text().replace('"toy"', '"toi"'))
    with pytest.raises(InputError, match=r"holds a 'toi' model \(family\)\. .* bert, .*, toy; the nearest is toy\."):
        read_model(tmp_path / "model")


def test_layerwise_rates_and_freezing(model):
    from bert_tf.training.optimizers.layerwise import freeze, layer_scales

    scales = layer_scales(model, 0.5)
    found = {name.split("/", 1)[1]: scales[variable.path] for name, variable in model.named_weights.items()}
    assert found == {"embeddings/embeddings": 0.25, "layer/kernel": 0.5, "layer/bias": 0.5, "kernel": 1.0, "bias": 1.0}
    freeze(model, 1)
    assert {variable.path.split("/")[-2] for variable in model.trainable_variables} == {"classifier"}
    freeze(model, 0, embeddings=False)


def test_exported(model, tmp_path):
    from bert_tf.export.saved_model import export_saved_model

    path, difference = export_saved_model(model, tmp_path / "toy", TEXTS[:4])
    assert difference < 1e-6
    assert "toy, 12 layers" in (path / "README.md").read_text()
