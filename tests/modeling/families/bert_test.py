"""The encoder: what masks, packed rows, positions, precision and wrong ids do."""

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.families.bert import PRESETS, BertConfig, BertEncoder
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.weights import schema
from bert_tf.weights.schema import head_shapes
from tests.modeling.backends import loss_and_gradients

SIZES = {
    "vocab_size": 30,
    "hidden_size": 8,
    "num_layers": 2,
    "num_heads": 2,
    "intermediate_size": 12,
    "max_positions": 10,
    "initializer_range": 0.3,
}


def batch(*rows, length=None):
    """Rows of ids as the encoder's inputs, padded with 0; segment 1 from the middle of each row on."""
    length = length or max(map(len, rows))
    ids = np.array([row + [0] * (length - len(row)) for row in rows], "int32")
    mask = np.array([[1] * len(row) + [0] * (length - len(row)) for row in rows], "int32")
    segments = np.array([[int(i >= len(row) // 2) for i in range(length)] for row in rows], "int32") * mask
    return {"input_ids": ids, "input_mask": mask, "segment_ids": segments}


def to_numpy(outputs):
    return keras.tree.map_structure(ops.convert_to_numpy, outputs)


def assert_close(actual, expected, tolerance=1e-5):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


@pytest.fixture
def encoder():
    keras.utils.set_random_seed(1)
    return BertEncoder(**SIZES)


def test_shapes_and_types(encoder):
    outputs = encoder(batch([1, 2, 3], [4]), all_outputs=True)
    assert outputs["sequence_output"].shape == (2, 3, 8)
    assert outputs["pooled_output"].shape == (2, 8)
    assert [tuple(states.shape) for states in outputs["hidden_states"]] == [(2, 3, 8)] * 3
    assert [tuple(probs.shape) for probs in outputs["attention_probs"]] == [(2, 2, 3, 3)] * 2
    outputs = to_numpy(outputs)
    np.testing.assert_array_equal(outputs["hidden_states"][-1], outputs["sequence_output"])
    assert outputs["sequence_output"].dtype == "float32"


def test_attention_adds_up_to_one_and_is_nothing_on_padding(encoder):
    for probs in to_numpy(encoder(batch([1, 2, 3], [4]), all_outputs=True))["attention_probs"]:
        assert_close(probs.sum(-1), 1)
        np.testing.assert_array_equal(probs[1, :, :, 1:], 0)


def test_what_stands_at_padding_never_matters(encoder):
    inputs = batch([1, 2, 3], [4, 5, 6, 7, 8])
    changed = {name: array.copy() for name, array in inputs.items()}
    changed["input_ids"][0, 3:] = [9, 29]
    changed["segment_ids"][0, 3:] = 1
    one, two = to_numpy(encoder(inputs)), to_numpy(encoder(changed))
    np.testing.assert_array_equal(one["sequence_output"][0, :3], two["sequence_output"][0, :3])
    np.testing.assert_array_equal(one["pooled_output"], two["pooled_output"])


def test_the_length_of_the_padding_never_matters(encoder):
    short, long = to_numpy(encoder(batch([1, 2, 3]))), to_numpy(encoder(batch([1, 2, 3], length=10)))
    assert_close(long["sequence_output"][:, :3], short["sequence_output"], 1e-6)


def test_position_segment_and_order_matter(encoder):
    base = to_numpy(encoder(batch([1, 2, 3])))["sequence_output"]
    swapped = to_numpy(encoder(batch([2, 1, 3])))["sequence_output"]
    assert np.abs(base[0, 2] - swapped[0, 2]).max() > 1e-3
    segments = batch([1, 2, 3]) | {"segment_ids": np.array([[0, 0, 0]])}
    assert np.abs(base - to_numpy(encoder(segments))["sequence_output"]).max() > 1e-3
    positions = batch([1, 2, 3]) | {"position_ids": np.array([[0, 1, 2]])}
    np.testing.assert_array_equal(base, to_numpy(encoder(positions))["sequence_output"])
    positions["position_ids"] = np.array([[0, 2, 1]])
    assert np.abs(base - to_numpy(encoder(positions))["sequence_output"]).max() > 1e-3


# Two examples of 5 and 3 tokens: alone, and in one row of 10 with 2 of padding.
ALONE = batch([1, 2, 3, 4, 5], [6, 7, 8])
PACKED = {
    "input_ids": np.array([[1, 2, 3, 4, 5, 6, 7, 8, 0, 0]]),
    "input_mask": np.array([[1] * 8 + [0] * 2]),
    "segment_ids": np.array([[0, 0, 1, 1, 1, 0, 1, 1, 0, 0]]),
    "position_ids": np.array([[0, 1, 2, 3, 4, 0, 1, 2, 0, 0]]),
    "example_ids": np.array([[1] * 5 + [2] * 3 + [0] * 2]),
    "cls_positions": np.array([[0, 5]]),
}


def test_a_packed_row_gives_each_example_what_it_gets_alone(encoder):
    alone, packed = to_numpy(encoder(ALONE)), to_numpy(encoder(PACKED))
    assert_close(packed["sequence_output"][0, :5], alone["sequence_output"][0])
    assert_close(packed["sequence_output"][0, 5:8], alone["sequence_output"][1, :3])
    assert_close(packed["pooled_output"][0], alone["pooled_output"])


def test_a_packed_row_trains_as_its_examples_do_alone():
    keras.utils.set_random_seed(2)
    model = BertPretrainer(**SIZES)
    alone = ALONE | {"masked_lm_positions": np.array([[1, 3], [2, 0]])}
    packed = PACKED | {"masked_lm_positions": np.array([[1, 3, 7, 5]])}

    def loss(inputs):
        outputs = model(inputs)
        masked_lm = ops.reshape(outputs["masked_lm_logits"], (4, 30))
        next_sentence = ops.reshape(outputs["next_sentence_logits"], (2, 2))
        return ops.sum(ops.logsumexp(masked_lm, -1)) + ops.sum(ops.logsumexp(3 * next_sentence, -1))

    value, gradients = loss_and_gradients(model, lambda: loss(alone))
    packed_value, packed_gradients = loss_and_gradients(model, lambda: loss(packed))
    assert packed_value == pytest.approx(value, abs=1e-5)
    for name, gradient in gradients.items():
        assert_close(packed_gradients[name], gradient, 1e-5 * max(1, np.abs(gradient).max()))


@pytest.mark.parametrize("inputs", [ALONE, PACKED], ids=["alone", "packed"])
def test_the_last_block_computes_what_is_asked_for(encoder, inputs):
    whole = to_numpy(encoder(inputs))
    positions = np.array([[4, 1, 1]] * len(inputs["input_ids"]))
    part = to_numpy(encoder(inputs, positions=positions))
    assert_close(part["sequence_output"], whole["sequence_output"][:, [4, 1, 1]], 1e-6)
    assert_close(part["pooled_output"], whole["pooled_output"], 1e-6)
    first = to_numpy(encoder(inputs, cls_only=True))
    assert_close(first["sequence_output"], whole["sequence_output"][:, inputs.get("cls_positions", [[0]])[0]], 1e-6)
    assert_close(first["pooled_output"], whole["pooled_output"], 1e-6)


@pytest.mark.parametrize("inputs", [ALONE, PACKED], ids=["alone", "packed"])
@pytest.mark.parametrize("remat", [False, True], ids=["kept", "remat"])
def test_a_step_of_what_is_asked_for_is_a_step_of_all(inputs, remat):
    keras.utils.set_random_seed(4)
    model = BertPretrainer(**SIZES | {"hidden_dropout": 0.0, "attention_dropout": 0.0})
    model.encoder.remat = remat
    inputs = inputs | {"masked_lm_positions": np.array([[1, 3, 3]] * len(inputs["input_ids"]))}

    def loss(training):
        outputs = model(inputs, training=training)
        length = outputs["sequence_output"].shape[1]
        assert length == (3 if training else inputs["input_ids"].shape[1])
        logits = outputs["masked_lm_logits"], 3 * outputs["next_sentence_logits"]
        return sum(ops.sum(ops.logsumexp(each, -1)) for each in logits)

    value, gradients = loss_and_gradients(model, lambda: loss(training=True))
    whole_value, whole_gradients = loss_and_gradients(model, lambda: loss(training=False))
    assert value == pytest.approx(whole_value, abs=1e-5)
    for name, gradient in whole_gradients.items():
        assert_close(gradients[name], gradient, 1e-5 * max(1, np.abs(gradient).max()))


def test_dropout_is_on_in_training_only():
    encoder = BertEncoder(**SIZES | {"hidden_dropout": 0.5})
    inputs = batch([1, 2, 3])
    still = to_numpy(encoder(inputs))["sequence_output"]
    np.testing.assert_array_equal(still, to_numpy(encoder(inputs, training=False))["sequence_output"])
    assert np.abs(still - to_numpy(encoder(inputs, training=True))["sequence_output"]).max() > 1e-2


def test_equal_seeds_start_equal_and_every_weight_starts_otherwise():
    keras.utils.set_random_seed(3)
    one = BertEncoder(**SIZES).to_weights()
    keras.utils.set_random_seed(3)
    two = BertEncoder(**SIZES).to_weights()
    assert all(np.array_equal(one[name], two[name]) for name in one)
    kernels = [array for name, array in one.items() if name.endswith("kernel") and array.shape == (8, 8)]
    assert len({array.tobytes() for array in kernels}) == len(kernels) == 9


def test_weights_start_as_in_the_paper():
    weights = BertEncoder(**SIZES | {"vocab_size": 3000, "initializer_range": 0.02}).to_weights()
    table = weights["encoder/embeddings/token/embeddings"]
    assert np.abs(table).max() <= 0.04  # cut at two standard deviations
    assert table.std() == pytest.approx(0.02 * 0.8796, rel=0.02)  # of a normal distribution cut there
    assert not weights["encoder/pooler/bias"].any()
    assert (weights["encoder/block_0/output_norm/gamma"] == 1).all()


def test_names_and_shapes_are_those_of_the_schema(encoder):
    shapes = {name: tuple(variable.shape) for name, variable in encoder.named_weights.items()}
    assert shapes == schema("bert", BertConfig(**SIZES))
    heads = {name: tuple(v.shape) for name, v in BertPretrainer(**SIZES).named_weights.items() if name not in shapes}
    assert heads.items() <= head_shapes(BertConfig(**SIZES)).items()
    assert len(heads) == 7


@pytest.mark.parametrize(
    ("preset", "parameters"),
    [
        ("tiny", 4_385_920),
        ("mini", 11_170_560),
        ("small", 28_763_648),
        ("medium", 41_373_184),
        ("base", 109_482_240),
        ("large", 335_141_888),
        ("minilm", 22_713_216),
    ],
)
def test_presets_have_the_published_sizes(preset, parameters):
    shapes = schema("bert", BertConfig(**PRESETS[preset]))
    assert sum(np.prod(shape) for shape in shapes.values()) == parameters


def test_impossible_sizes():
    with pytest.raises(ConfigError, match="hidden_size=100, num_heads=12. hidden_size must be a multiple of num_heads"):
        BertConfig(hidden_size=100)
    with pytest.raises(ConfigError, match="hidden_dropout=1.5"):
        BertConfig(hidden_dropout=1.5)
    with pytest.raises(ConfigError, match="intermediate_size=0"):
        BertConfig(intermediate_size=0)
    with pytest.raises(ConfigError, match="Received: layers=3. The encoder family 'bert' has no such setting"):
        BertEncoder(**SIZES, layers=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_ids": np.array([[1, 30, 2]])}, "input_ids with 30. They must be in 0 to 29"),
        ({"input_ids": np.array([[1, -1, 2]])}, "input_ids with -1"),
        ({"segment_ids": np.array([[0, 2, 0]])}, "segment_ids with 2. They must be in 0 to 1"),
        ({"position_ids": np.array([[0, 1, 10]])}, "position_ids with 10. They must be in 0 to 9"),
        ({"cls_positions": np.array([[3]])}, "positions with 3. They must be in 0 to 2"),
    ],
)
def test_ids_outside_their_tables(encoder, change, message):
    with pytest.raises(Exception, match=message) as caught:  # JAX wraps what a callback raises
        encoder(batch([1, 2, 3]) | change)
        if keras.backend.backend() == "jax":
            import jax

            jax.effects_barrier()
    assert keras.backend.backend() == "jax" or isinstance(caught.value, InputError)


def test_ids_outside_the_vocabulary_in_a_compiled_step(encoder):
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):
            pytest.skip("TensorFlow looks up zeros for them on a GPU")
    with pytest.raises(Exception, match="30"):
        encoder.predict(batch([1, 30, 2]), verbose=0)


def test_rows_longer_than_the_positions(encoder):
    with pytest.raises(InputError, match="11 tokens per sequence. This encoder has 10 positions"):
        encoder(batch([1] * 11))


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_keeps_sums_in_float32(dtype):
    encoder = BertEncoder(dtype=dtype, **SIZES | {"max_positions": 512})
    weights = encoder.to_weights()
    encoder.assign({name: array * 0 if "/query/" in name else array for name, array in weights.items()})
    assert all(array.dtype == "float32" for array in weights.values())
    # Equal scores over 512 tokens: a sum in bfloat16 stops at 256.
    probs = encoder(batch([1] * 512), all_outputs=True)["attention_probs"][0]
    np.testing.assert_array_equal(np.asarray(to_numpy(probs), "float32"), 1 / 512)
    # The square of 300 is beyond float16.
    rows = ops.convert_to_tensor(np.array([[[300, -300] * 4]]), dtype.removeprefix("mixed_"))
    normed = np.asarray(to_numpy(encoder.embeddings.norm(rows, 0 * rows)), "float32")
    np.testing.assert_array_equal(normed, [[[1, -1] * 4]])


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_logits_are_float32(dtype):
    outputs = BertPretrainer(dtype=dtype, **SIZES)(batch([1, 2, 3]) | {"masked_lm_positions": np.array([[1]])})
    for name in ("masked_lm_logits", "next_sentence_logits"):
        assert keras.backend.standardize_dtype(outputs[name].dtype) == "float32"


def test_imports_no_tensorflow():
    code = "import sys; sys.modules['tensorflow'] = None; import bert_tf.cli.convert, bert_tf.weights.resize"
    if importlib.util.find_spec("jax"):
        code += ", bert_tf.modeling.pretrainer as p; p.BertPretrainer(hidden_size=8, num_layers=1, num_heads=2)"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"KERAS_BACKEND": "jax"})
