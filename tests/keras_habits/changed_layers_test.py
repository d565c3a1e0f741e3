"""Layers that are changed after a model is made: adapters, quantization, freezing, more layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import bert_tf
from bert_tf.core.errors import InputError
from bert_tf.tasks import TextClassifier, TextTagger
from tests.keras_habits.models import INPUTS, SIZES, TEXTS, TOKENIZER, Sample, around, classifier, encoder


def add_adapters(inner):
    """LoRA that changes the answers: on a kernel, on the token table and, if there is one, on a head."""
    layers = [inner.blocks[0].attention.query, inner.blocks[0].output_dense, inner.embeddings.token]
    for layer in layers:
        layer.enable_lora(2)
        second = getattr(layer, "lora_kernel_b", None)
        if second is None:
            second = layer.lora_embeddings_b
        second.assign(np.random.default_rng(0).normal(size=second.shape))


@pytest.fixture
def adapted():
    keras.utils.set_random_seed(1)  # other weights may hardly answer to the adapters
    model = classifier()
    before = Sample(model, INPUTS).outputs()[0]
    model.predict_text(TEXTS[:2])
    add_adapters(model.encoder)
    sample = Sample(model, INPUTS, TEXTS[:2])
    assert np.abs(sample.outputs()[0] - before).max() > 1e-3
    return sample


def test_adapters_are_in_every_saved_form(adapted, tmp_path):
    model = adapted.model
    model.save_pretrained(tmp_path / "folder")
    adapted.assert_same_answers(bert_tf.load(tmp_path / "folder"), atol=1e-5)
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras")
    adapted.assert_same_answers(opened, atol=1e-5)
    assert opened.encoder.blocks[0].attention.query.lora_rank == 2
    model.export(tmp_path / "export", verbose=False)
    exported = tf.saved_model.load(tmp_path / "export")
    served = exported.serve({name: tf.constant(x) for name, x in INPUTS.items()})
    np.testing.assert_allclose(served, adapted.outputs()[0], atol=1e-5)


def test_predict_text_uses_adapters_that_were_added_since(adapted):
    logits = adapted.model(adapted.model.preprocessor((tf.constant(TEXTS[:1]),)), training=False)
    probability = adapted.model.predict_text(TEXTS[:1])[0]["probability"]
    assert probability == pytest.approx(float(tf.reduce_max(tf.nn.softmax(logits))), abs=1e-5)


def test_adapters_train_alone():
    model = classifier()
    model.encoder.trainable = False
    query = model.encoder.blocks[0].attention.query
    query.trainable = True
    query.enable_lora(2)
    query.bias.trainable = False
    kernel = query._kernel.numpy()
    model.compile(keras.optimizers.Adam(0.01))
    model.train_on_batch(INPUTS, np.array([0, 1]))
    np.testing.assert_array_equal(query._kernel, kernel)
    assert np.abs(query.lora_kernel_b).max() > 0


@pytest.mark.parametrize(
    "make", [encoder, classifier, lambda: around(encoder())], ids=["encoder", "task", "functional"]
)
def test_int8_answers_are_close_and_saved(make, tmp_path):
    keras.utils.set_random_seed(1)
    model = make()
    before = Sample(model, INPUTS).outputs()
    model.quantize("int8")
    sample = Sample(model, INPUTS)
    scale = max(np.abs(values).max() for values in before)
    for found, wanted in zip(sample.outputs(), before, strict=True):
        np.testing.assert_allclose(found, wanted, atol=0.05 * scale)
    assert sum(variable.dtype == "int8" for variable in model.variables) >= 6
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras")
    sample.assert_same_answers(opened)
    assert sum(v.dtype == "int8" for v in opened.variables) == sum(v.dtype == "int8" for v in model.variables)


def test_int8_kernels_are_written_as_the_floats_they_stand_for(tmp_path):
    model = classifier()
    kernel = model.encoder.pooler.kernel.numpy()
    model.quantize("int8")
    model.save_pretrained(tmp_path / "model")
    written = bert_tf.load(tmp_path / "model").encoder.pooler.kernel.numpy()
    np.testing.assert_allclose(written, kernel, atol=np.abs(kernel).max() / 127)
    with pytest.raises(InputError, match="quantized"):
        model.assign(classifier().to_weights())


def test_other_quantizations_are_refused_in_folders(tmp_path):
    model = encoder()
    model.pooler.quantize("int4")
    with pytest.raises(InputError, match=r"int4.*\.keras"):
        model.save_pretrained(tmp_path / "model")


def test_an_unused_pooler_stays_frozen():
    model = TextTagger(TOKENIZER, ["A", "B"], scheme=None, max_length=12, **SIZES)
    names = [variable.path for variable in model.trainable_variables]
    for whole in (model.encoder, model):
        whole.trainable = False
        whole.trainable = True
        assert [variable.path for variable in model.trainable_variables] == names
    model = classifier()
    model.encoder.trainable = False
    model.encoder.trainable = True
    assert model.encoder.pooler.trainable


@keras.saving.register_keras_serializable("habits")
class Widened(TextClassifier):
    """A subclass with a layer of its own."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.extra = keras.layers.Dense(2)

    def call(self, inputs, training=None):
        return self.extra(super().call(inputs, training=training))


def test_a_subclass_adds_layers(tmp_path):
    model = Widened(TOKENIZER, ["neg", "pos"], max_length=12, **SIZES)
    model.compile("adam")
    model.fit(INPUTS, np.array([0, 1]), verbose=0)
    model.save(tmp_path / "model.keras")
    Sample(model, INPUTS, TEXTS[:2]).assert_same_answers(keras.saving.load_model(tmp_path / "model.keras"))


def test_two_encoders_in_one_functional_model():
    inputs = {name: keras.Input((None,), dtype="int32") for name in INPUTS}
    vectors = [encoder()(inputs)["pooled_output"] for _ in range(2)]
    model = keras.Model(inputs, keras.layers.Dot(1, normalize=True)(vectors))
    assert model.predict(INPUTS, verbose=0).shape == (2, 1)


def test_layers_are_found_by_name():
    model = classifier()
    assert [layer.name for layer in model.get_layer("encoder").layers] == ["embeddings", "block_0", "pooler"]
    assert model.count_params() == sum(int(np.prod(variable.shape)) for variable in model.weights)
    lines = []
    model.summary(print_fn=lambda line, **_: lines.append(line))
    assert f"{model.count_params():,}" in "\n".join(lines)
