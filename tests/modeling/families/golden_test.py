"""The models give the numbers that the other projects' own code gave, from the same files."""

import keras
import numpy as np
import pytest
from keras import ops

from bert_tf.core.features import INPUT_IDS, INPUT_MASK, MASKED_LM_POSITIONS, SEGMENT_IDS
from bert_tf.modeling.families.bert import BertEncoder
from bert_tf.modeling.layers.pooling import normalize, pool
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.weights import read_model
from tests.modeling.backends import loss_and_gradients

# Their names of the encoder's inputs, in our order.
HUGGINGFACE = ("input_ids", "attention_mask", "token_type_ids")
GOOGLE = ("input_ids", "input_mask", "segment_ids")
MODEL_GARDEN = ("input_word_ids", "input_mask", "input_type_ids")
KERAS_HUB = ("token_ids", "padding_mask", "segment_ids")

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight")


def encoder_inputs(expected, names, prefix=""):
    ours = (INPUT_IDS, INPUT_MASK, SEGMENT_IDS)
    return {name: expected[prefix + theirs].astype("int32") for name, theirs in zip(ours, names, strict=True)}


def assert_close(actual, expected, tolerance=1e-4):
    np.testing.assert_allclose(ops.convert_to_numpy(actual), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("folder", "names", "outputs"),
    [
        ("hf_pretraining", HUGGINGFACE, {"sequence_output": "last_hidden_state"}),
        ("hf_sequence_classification", HUGGINGFACE, {"sequence_output": "last_hidden_state"}),
        ("hf_token_classification", HUGGINGFACE, {"sequence_output": "last_hidden_state"}),
        ("hf_question_answering", HUGGINGFACE, {"sequence_output": "last_hidden_state"}),
        ("google_tf1", GOOGLE, {"sequence_output": "sequence_output", "pooled_output": "pooled_output"}),
        ("model_garden", MODEL_GARDEN, {"sequence_output": "sequence_output", "pooled_output": "pooled_output"}),
        ("keras_hub_preset", KERAS_HUB, {"sequence_output": "sequence_output", "pooled_output": "pooled_output"}),
    ],
)
def test_encoder(golden, needs_reader, folder, names, outputs):
    needs_reader(folder)
    expected = np.load(golden / folder / "expected.npz")
    actual = BertEncoder.from_pretrained(golden / folder)(encoder_inputs(expected, names))
    for ours, theirs in outputs.items():
        assert_close(actual[ours], expected[theirs])


def test_huggingface_pretraining(golden):
    expected = np.load(golden / "hf_pretraining" / "expected.npz")
    inputs = encoder_inputs(expected, HUGGINGFACE)
    inputs[MASKED_LM_POSITIONS] = np.tile(np.arange(24, dtype="int32"), (3, 1))
    outputs = BertPretrainer.from_pretrained(golden / "hf_pretraining")(inputs)
    assert_close(outputs["masked_lm_logits"], expected["prediction_logits"])
    assert_close(outputs["next_sentence_logits"], expected["seq_relationship_logits"])


def test_huggingface_losses_and_gradients(golden):
    expected = np.load(golden / "hf_pretraining" / "expected.npz")
    model = BertPretrainer.from_pretrained(golden / "hf_pretraining")
    inputs = encoder_inputs(expected, HUGGINGFACE)
    inputs[MASKED_LM_POSITIONS] = np.tile(np.arange(24, dtype="int32"), (3, 1))
    labels = expected["labels"]  # -100 where nothing is to be predicted

    def loss():
        outputs = model(inputs, training=False)
        masked_lm = CROSS_ENTROPY(np.maximum(labels, 0), outputs["masked_lm_logits"], labels >= 0)
        return masked_lm + CROSS_ENTROPY(expected["next_sentence_label"], outputs["next_sentence_logits"])

    value, gradients = loss_and_gradients(model, loss)
    assert value == pytest.approx(float(expected["loss"]), abs=1e-4)
    norm = np.sqrt(sum(np.square(gradient, dtype="float64").sum() for gradient in gradients.values()))
    assert norm == pytest.approx(float(expected["grad_global_norm"]), rel=1e-4)
    for name, theirs in {
        "encoder/embeddings/token/embeddings": expected["grad_word_embeddings"],
        "encoder/block_0/attention/query/kernel": expected["grad_layer0_query"].T,
    }.items():
        assert np.abs(gradients[name] - theirs).max() <= 1e-4 * np.abs(theirs).max()


@pytest.mark.parametrize(
    ("folder", "head", "source", "outputs"),
    [
        ("hf_sequence_classification", "classifier", "pooled_output", ["logits"]),
        ("hf_token_classification", "classifier", "sequence_output", ["logits"]),
        ("hf_question_answering", "answer_span", "sequence_output", ["start_logits", "end_logits"]),
    ],
)
def test_huggingface_heads(golden, folder, head, source, outputs):
    expected = np.load(golden / folder / "expected.npz")
    weights = read_model(golden / folder).weights
    vectors = BertEncoder.from_pretrained(golden / folder)(encoder_inputs(expected, HUGGINGFACE))[source]
    logits = ops.convert_to_numpy(vectors) @ weights[f"{head}/kernel"] + weights[f"{head}/bias"]
    for actual, name in zip(np.split(logits, len(outputs), -1), outputs, strict=True):
        assert_close(actual.reshape(expected[name].shape), expected[name])


def test_google_pretraining(golden, needs_reader):
    needs_reader("google_tf1")
    expected = np.load(golden / "google_tf1" / "expected.npz")
    model = BertPretrainer.from_pretrained(golden / "google_tf1")
    outputs = model(encoder_inputs(expected, GOOGLE) | {MASKED_LM_POSITIONS: expected["masked_lm_positions"]})
    assert_close(outputs["masked_lm_logits"], expected["masked_lm_logits"])
    assert_close(outputs["next_sentence_logits"], expected["next_sentence_logits"])
    loss = CROSS_ENTROPY(expected["masked_lm_ids"], outputs["masked_lm_logits"], expected["masked_lm_weights"])
    assert_close(loss, expected["masked_lm_loss"])
    loss = CROSS_ENTROPY(expected["next_sentence_labels"], outputs["next_sentence_logits"])
    assert_close(loss, expected["next_sentence_loss"])


def test_model_gardens_masked_lm_has_an_activation_of_its_own(golden, needs_reader):
    needs_reader("model_garden")
    expected = np.load(golden / "model_garden" / "expected.npz")
    model = BertPretrainer.from_pretrained(golden / "model_garden")
    inputs = encoder_inputs(expected, MODEL_GARDEN) | {MASKED_LM_POSITIONS: expected["masked_lm_positions"]}
    assert_close(model(inputs)["masked_lm_logits"], expected["mlm_logits"], 1e-5)
    assert (model.config.activation, model.masked_lm_activation) == ("gelu_tanh", "gelu")


def test_minilm(golden, minilm):
    expected = np.load(golden / "minilm_expected.npz")
    model = BertEncoder.from_pretrained(minilm)
    inputs = encoder_inputs(expected, HUGGINGFACE)
    outputs = model(inputs)
    real = inputs[INPUT_MASK][..., np.newaxis]  # what stands at padding means nothing
    assert_close(outputs["sequence_output"] * real, expected["last_hidden_state"] * real)
    assert_close(outputs["pooled_output"], expected["pooler_output"])
    embedding = normalize(pool(outputs["sequence_output"], inputs[INPUT_MASK], "mean"))
    assert_close(embedding, expected["sentence_embedding"], 1e-5)
    pairs = encoder_inputs(expected, HUGGINGFACE, prefix="pair_")
    real = pairs[INPUT_MASK][..., np.newaxis]
    assert_close(model(pairs)["sequence_output"] * real, expected["pair_last_hidden_state"] * real)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_minilm_in_half_precision(golden, minilm, dtype):
    expected = np.load(golden / "minilm_expected.npz")
    inputs = encoder_inputs(expected, HUGGINGFACE)
    outputs = BertEncoder.from_pretrained(minilm, dtype=dtype)(inputs)
    assert keras.backend.standardize_dtype(outputs["sequence_output"].dtype) == dtype.removeprefix("mixed_")
    embedding = ops.convert_to_numpy(normalize(pool(outputs["sequence_output"], inputs[INPUT_MASK], "mean")))
    assert (embedding * expected["sentence_embedding"]).sum(-1).min() >= 0.999
