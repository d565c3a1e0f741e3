"""A model that writes text: its rows, its loss by hand, what it saves, and what it refuses."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import bert_tf
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.families.bert import BertEncoder
from bert_tf.tasks import TextGenerator
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.weights import read_model
from tests.tasks.samples import SIZES, TEXTS, VOCABULARY

ARCHITECTURES = ("encoder_decoder", "prefix")
TARGETS = ["good film", "the film is not good"] * 16


def make(architecture="encoder_decoder", **settings):
    keras.utils.set_random_seed(1)
    return TextGenerator(
        Tokenizer(VOCABULARY), architecture, **{"max_length": 8, "max_target_length": 7} | SIZES | settings
    )


@pytest.fixture(scope="module", params=ARCHITECTURES)
def learned(request):
    """A model that knows its texts by heart."""
    model = make(request.param)
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(TEXTS, TARGETS, epochs=12, batch_size=8, verbose=0, seed=0)
    return model


def test_texts_learned_by_heart_are_written(learned):
    assert learned.generate(TEXTS[:4]) == TARGETS[:4]
    assert [answer["generated_text"] for answer in learned.predict_text(TEXTS[:4])] == TARGETS[:4]
    rows = learned.preprocessor.inference_inputs(learned.preprocessor.encode_texts(TEXTS[:2]))
    ids = learned.generate_tokens(rows["input_ids"], rows["input_mask"])
    start = learned.tokenizer.cls_id if learned.architecture == "encoder_decoder" else learned.tokenizer.sep_id
    assert ids.dtype == np.int32
    assert ids.tolist() == [[start, 5, 7, 3, 0, 0, 0], [start, 9, 7, 10, 11, 5, 3]]
    assert learned.generate(TEXTS[:2], max_length=3) == ["good film", "the film"]
    assert learned.generate(TEXTS[:2], num_beams=3, early_stopping=False) == TARGETS[:2]


def test_one_graph_draws_by_all_seeds():
    model = make(initializer_range=0.5)
    texts = [model.generate(TEXTS[:4], seed=seed) for seed in (1, 2, 1)]
    assert texts[0] == texts[2] != texts[1]
    ids = np.array([[2, 5, 3]] * 4)
    drawn = [model.generate_tokens(ids, seed=seed).tolist() for seed in (3, 4, 3)]
    assert drawn[0] == drawn[2] != drawn[1]
    assert model._predict_graph.experimental_get_tracing_count() == 1
    first, second = (model.generate_tokens(ids, temperature=2.0).tolist() for _ in range(2))
    assert first != second
    assert model._predict_graph.experimental_get_tracing_count() == 2


def test_the_loss_is_the_smoothed_cross_entropy_of_the_tokens_of_targets():
    model = make(label_smoothing=0.1)
    inputs, targets, weights = model.preprocessor.prepare(TEXTS[:2], TARGETS[:2]).whole()
    logits = model(inputs, training=False).numpy()
    log_probabilities = tf.nn.log_softmax(logits).numpy()
    losses = []
    for row, column in zip(*np.nonzero(weights.numpy()), strict=True):
        scores = log_probabilities[row, column]
        losses.append(-0.9 * scores[targets[row, column]] - 0.1 * scores.mean())
    assert len(losses) == 3 + 6  # of both targets, with their ends
    assert float(model.default_loss()(targets, logits, weights)) == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_token_depends_on_source_and_past_alone(architecture):
    model = make(architecture, initializer_range=0.5)
    inputs, _, _ = model.preprocessor.prepare(["good film", "a"], ["the film is good", "bad"]).whole()
    inputs = {name: value.numpy() for name, value in inputs.items()}
    before = model(inputs, training=False).numpy()
    future = inputs["target_ids"].copy()
    future[0, 3] = 6
    after = model(inputs | {"target_ids": future}, training=False).numpy()
    np.testing.assert_allclose(after[0, :3], before[0, :3], atol=1e-5)
    assert np.abs(after[0, 3] - before[0, 3]).max() > 1e-3
    source = inputs["input_ids"].copy()
    source[0, 2] = 6
    assert np.abs(model(inputs | {"input_ids": source}, training=False).numpy()[0, 0] - before[0, 0]).max() > 1e-3
    alone = {name: value[1:, : np.count_nonzero(value[1])] for name, value in inputs.items() if name != "segment_ids"}
    np.testing.assert_allclose(model(alone, training=False)[0], before[1, :2], atol=1e-5)  # padding changes nothing


def test_prefix_reads_the_separator_once():
    """The encoder alone, on [CLS] a [SEP] good, sees what the model sees of the source "a" and the target "good"."""
    model = make("prefix")
    inputs, _, _ = model.preprocessor.prepare(["a"], ["good"]).whole()
    logits = model(inputs, training=False)[0]  # after [SEP], and after "good"
    row = {
        "input_ids": np.array([[2, 8, 3, 5]]),
        "segment_ids": np.array([[0, 0, 1, 1]]),
        "order_ids": np.array([[0, 0, 1, 2]]),
        "input_mask": np.ones((1, 4), int),
    }
    vectors = model.encoder(row)["sequence_output"][:, 2:]
    expected = model.masked_lm(vectors, model.encoder.embeddings.token.embeddings)[0]
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_a_decoder_begins_with_the_weights_of_an_encoder(tmp_path):
    keras.utils.set_random_seed(0)
    BertEncoder(**SIZES | {"num_layers": 2}).save_pretrained(tmp_path / "encoder", Tokenizer(VOCABULARY))
    model = TextGenerator.from_pretrained(tmp_path / "encoder", decoder={"num_layers": 1})
    weights = model.to_weights()
    kernel = "block_0/attention/query/kernel"
    np.testing.assert_array_equal(weights[f"decoder/{kernel}"], weights[f"encoder/{kernel}"])
    assert len(model.decoder.crosses) == 1
    model.save_pretrained(tmp_path / "model")
    assert bert_tf.load(tmp_path / "model").decoder_config.num_layers == 1


def test_a_decoder_begins_with_other_weights(tmp_path):
    keras.utils.set_random_seed(0)
    for name, more in (("one", {"num_layers": 2}), ("other", {}), ("wide", {"hidden_size": 32})):
        BertEncoder(**SIZES | more).save_pretrained(tmp_path / name, Tokenizer(VOCABULARY))
    BertEncoder(**SIZES).save_pretrained(tmp_path / "words", Tokenizer([*VOCABULARY[:-1], "strange"]))
    model = TextGenerator.from_pretrained(tmp_path / "one", decoder_init=tmp_path / "other")
    weights, other = model.to_weights(), read_model(tmp_path / "other").weights
    kernel = "block_0/attention/query/kernel"
    np.testing.assert_array_equal(weights[f"decoder/{kernel}"], other[f"encoder/{kernel}"])
    assert (model.config.num_layers, model.decoder_config.num_layers) == (2, 1)
    for folder, message in (("wide", "wide has the hidden size 32, the encoder 16"), ("words", "words is not that of")):
        with pytest.raises(InputError, match=message):
            TextGenerator.from_pretrained(tmp_path / "one", decoder_init=tmp_path / folder)
    with pytest.raises(ConfigError, match="decoder_init='other'.*encoder_decoder"):
        TextGenerator.from_pretrained(tmp_path / "one", decoder_init="other", architecture="prefix")


def test_settings_of_searches_are_saved(learned, tmp_path):
    saved = TextGenerator.from_config(learned.get_config())
    saved.assign(learned.to_weights())
    saved.generation = dataclasses.replace(saved.generation, num_beams=2, length_penalty=0.5, no_repeat_ngram_size=3)
    saved.save_pretrained(tmp_path / "model")
    opened = bert_tf.load(tmp_path / "model")
    assert opened.generation == saved.generation
    assert opened.generate(TEXTS[:4], num_beams=1) == TARGETS[:4]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_beams": 0}, "num_beams=0"),
        ({"max_length": 17}, "max_length=17.*positions for 16 tokens"),
        ({"beams": 2}, "beams=2.*Did you mean 'num_beams'"),
        ({"temperature": 0.0}, "temperature=0.0"),
        ({"top_p": 1.5}, "top_p=1.5"),
        ({"seed": 2**31}, "seed=2147483648"),
    ],
)
def test_impossible_searches(settings, message):
    with pytest.raises(ConfigError, match=message):
        make().generate(["good"], **settings)


def test_impossible_models():
    with pytest.raises(ConfigError, match="architecture 'decoder'"):
        make("decoder")
    with pytest.raises(ConfigError, match="max_target_length=9 .*positions for 8 tokens"):
        make("prefix", max_target_length=9)
    with pytest.raises(InputError, match=r"needs \[CLS\] and \[SEP\]"):
        TextGenerator(Tokenizer([token for token in VOCABULARY if token != "[SEP]"]), **SIZES | {"vocab_size": 11})
    with pytest.raises(InputError, match="Row 1: the text is empty"):
        make().generate(["a", ""])
    with pytest.raises(InputError, match="17 tokens per source. The encoder has 16 positions"):
        make().generate_tokens(np.full([1, 17], 5))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_default_lengths(architecture):
    model = make(architecture, max_length=None, max_target_length=None)
    lengths = {"encoder_decoder": (16, 16), "prefix": (8, 8)}
    assert (model.max_length, model.max_target_length) == lengths[architecture]


def test_a_folder_of_transformers_without_a_tokenizer(golden):
    folder = golden / "families/bert2bert"
    model = TextGenerator.from_pretrained(folder)
    expected = np.load(folder / "expected.npz")
    inputs = {"input_ids": expected["input_ids"], "input_mask": expected["attention_mask"]}
    length = expected["greedy"].shape[1]
    found = model.generate_tokens(**inputs, max_length=length)
    np.testing.assert_array_equal(found, expected["greedy"])
    found = model.generate_tokens(**inputs, max_length=length, num_beams=3, no_repeat_ngram_size=2)
    np.testing.assert_array_equal(found, expected["beam3_no_repeat_bigram"])
    with pytest.raises(InputError, match="has no tokenizer, so that it reads no texts"):
        model.generate(["a"])
