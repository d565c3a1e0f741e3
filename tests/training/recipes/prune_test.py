"""Pruned models compute what the whole ones compute with the gates at zero, and are models like any other."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import bert_tf
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.export.litert_model import LiteRTModel
from bert_tf.export.saved_model import export_saved_model
from bert_tf.export.tflite import export_tflite
from bert_tf.tasks import FillMask, MultipleChoice, TextClassifier, TextEmbedder, TextGenerator, TextTagger
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.training.recipes import prune
from bert_tf.weights import FORMATS, read_model, write_model
from tests.tasks.samples import LABELS, SIZES, TEXTS, VOCABULARY

SMALL = SIZES | {"num_layers": 3, "num_heads": 4, "initializer_range": 0.2}
EXTRA = {
    "albert": {"num_layers": 6, "num_groups": 3, "embedding_size": 8},
    "modernbert": {"local_window": 4, "global_every": 2},
}


def make(task=TextClassifier, family="bert", **settings):
    keras.utils.set_random_seed(1)
    if task is TextClassifier:
        settings.setdefault("labels", ["neg", "pos"])
    return task(Tokenizer(VOCABULARY), encoder=family, max_length=12, **SMALL | EXTRA.get(family, {}) | settings)


def rank(model, count=8):
    return prune.rank(model, TEXTS[:count], LABELS[:count])


@pytest.fixture(scope="module")
def model():
    return make()


@pytest.fixture(scope="module")
def pruned(model):
    """A third of the heads and half of the columns are gone, from one block more than from another."""
    smaller = prune.remove(model, rank(model), heads=1 / 3, columns=1 / 2)
    config = smaller.config
    assert sum(config.layer_heads) == 8 and len(set(config.layer_heads)) > 1
    return smaller


def gates_of(sizes, kept):
    gates = []
    for size, numbers in zip(sizes, kept, strict=True):
        gate = np.zeros((1, size), "float32")
        gate[0, numbers] = 1
        gates.append(gate)
    return gates


def kept_of(model, importance, heads, columns):
    """The gates of what `remove` keeps: the highest of each block, by the numbers that the pruned model has."""
    smaller = prune.remove(model, importance, heads=heads, columns=columns)
    sizes = [smaller.config.block_sizes(i) for i in range(smaller.config.num_blocks)]
    gates = []
    for name, scores in (("num_heads", importance.heads), ("intermediate_size", importance.columns)):
        counts = [size[name] for size in sizes]
        best = [np.argsort(-block)[:count] for block, count in zip(scores, counts, strict=True)]
        gates.append(gates_of([len(block) for block in scores], best))
    return smaller, *gates


@pytest.mark.parametrize("family", ["bert", "albert", "modernbert", "roberta"])
def test_a_pruned_model_computes_what_closed_gates_compute(family):
    model = make(family=family)
    smaller, heads, columns = kept_of(model, rank(model), heads=0.5, columns=0.5)
    inputs = model.text_inputs(TEXTS[:4])
    with prune.gated(model.encoder, heads, columns):
        closed = model(inputs).numpy()
    np.testing.assert_allclose(smaller(inputs), closed, atol=1e-5)
    whole = model(inputs).numpy()
    assert np.abs(whole - closed).max() > 1e-3
    assert smaller.count_params() < model.count_params()


def test_importance_is_the_mean_gradient_of_a_gate_without_its_sign(model):
    importance = rank(model, 4)
    ones = [[np.ones((1, 4), "float32")] * 3, [np.ones((1, 32), "float32")] * 3]
    loss = model.default_loss()

    def slope(part, block, number):
        """The mean of |dL / dg| over the examples, by differences."""
        slopes = []
        for text, label in zip(TEXTS[:4], LABELS[:4], strict=True):
            values = []
            for step in (-0.01, 0.01):
                gates = [list(gates) for gates in ones]
                gates[part][block] = gates[part][block].copy()
                gates[part][block][0, number] += step
                with prune.gated(model.encoder, *gates):
                    values.append(float(loss(tf.constant([int(label == "pos")]), model(model.text_inputs([text])))))
            slopes.append(abs(values[1] - values[0]) / 0.02)
        return np.mean(slopes)

    for block, number in ((0, 1), (2, 3)):
        assert importance.heads[block][number] == pytest.approx(slope(0, block, number), rel=0.02, abs=1e-5)
        assert importance.columns[block][number] == pytest.approx(slope(1, block, number), rel=0.02, abs=1e-5)


def test_importance_does_not_depend_on_the_size_of_batches(model):
    one, other = rank(model), prune.rank(model, TEXTS[:8], LABELS[:8], batch_size=3)
    for block in range(3):
        np.testing.assert_allclose(one.heads[block], other.heads[block], rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(one.columns[block], other.columns[block], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    "task, settings, texts, targets",
    [
        (TextTagger, {"labels": ["O", "B-X"]}, [["a", "good", "film"]] * 2, [["O", "B-X", "O"]] * 2),
        (MultipleChoice, {}, (TEXTS[:2], [["is good", "is bad"]] * 2), [0, 1]),
        (TextEmbedder, {}, (TEXTS[:2], TEXTS[2:4]), [0.0, 0.7]),
        (TextGenerator, {"max_target_length": 6}, TEXTS[:2], ["good film", "bad"]),
        (TextGenerator, {"max_target_length": 4, "architecture": "prefix"}, TEXTS[:2], ["good film", "bad"]),
        (TextGenerator, {"max_target_length": 6, "share_weights": True}, TEXTS[:2], ["good film", "bad"]),
    ],
)
def test_every_task_is_pruned(task, settings, texts, targets):
    model = make(task, **settings)
    smaller, heads, columns = kept_of(model, prune.rank(model, texts, targets), heads=0.5, columns=0.25)
    assert sum(smaller.config.layer_heads) == 6
    batch, *_ = next(iter(model.dataset(texts, targets)))
    with prune.gated(model.encoder, heads, columns):
        closed = keras.tree.flatten(model(batch))
        answers = model.predict_text(tuple(column[:2] for column in texts) if isinstance(texts, tuple) else texts)
    for found, expected in zip(keras.tree.flatten(smaller(batch)), closed, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4)
    found = smaller.predict_text(texts)
    assert [list(answer) for answer in found] == [list(answer) for answer in answers]
    if task is TextGenerator:
        assert found == answers
        fewer = prune.keep_layers(smaller, [0, 2])
        assert len(fewer.generate(texts)) == 2


def test_shares_of_each_layer_and_of_all(model):
    importance = rank(model)
    config = prune.remove(model, importance, heads=0.25, columns=0.5, by_layer=True).config
    assert config.layer_heads == (3, 3, 3)
    assert (config.intermediate_size, config.layer_intermediate_sizes) == (16, None)
    config = prune.remove(model, importance, heads=0.75, columns=0.75).config
    assert config.layer_heads == (1, 1, 1)
    assert (config.intermediate_size, config.layer_intermediate_sizes) == (8, None)
    assert prune.remove(model, importance).config == model.config


def test_pruned_twice(model, pruned):
    smallest = prune.remove(pruned, rank(pruned), heads=0.25)
    assert sum(smallest.config.layer_heads) == 6
    assert smallest.config.head_size == model.config.head_size


def test_layers_are_dropped(model):
    last = prune.keep_layers(model, [2])
    inputs = model.text_inputs(TEXTS[:1])
    x = model.encoder.embeddings(inputs["input_ids"], inputs["segment_ids"])
    expected, _ = model.encoder.blocks[2](x, tf.zeros([1, 1, 1, 1]))
    np.testing.assert_allclose(last.encoder(inputs)["sequence_output"], expected, atol=1e-5)
    assert last.config.num_layers == 1


def test_a_folder_keeps_the_sizes(pruned, tmp_path):
    pruned.save_pretrained(tmp_path / "model")
    sizes = json.loads((tmp_path / "model/config.json").read_text())["encoder"]
    assert sizes["layer_heads"] == list(pruned.config.layer_heads)
    opened = bert_tf.load(tmp_path / "model")
    assert opened.config == pruned.config
    np.testing.assert_array_equal(opened.predict(TEXTS[:4], verbose=0), pruned.predict(TEXTS[:4], verbose=0))
    checkpoint = read_model(tmp_path / "model")
    for format in FORMATS.keys() - {"bert_tf"}:
        with pytest.raises(InputError, match=f"The format {format} cannot hold layers of different sizes"):
            write_model(checkpoint, tmp_path / format, format)


def test_equal_sizes_are_nothing_special(model, tmp_path):
    narrow = prune.remove(model, rank(model), columns=0.5, by_layer=True)
    narrow = prune.keep_layers(narrow, [0, 1])
    write_model(narrow.to_checkpoint(narrow.tokenizer, narrow.task_settings()), tmp_path / "theirs", "huggingface")
    opened = TextClassifier.from_pretrained(tmp_path / "theirs", max_length=12)
    np.testing.assert_allclose(opened.predict(TEXTS[:4], verbose=0), narrow.predict(TEXTS[:4], verbose=0), atol=1e-6)
    narrow.save_pretrained(tmp_path / "ours")
    assert (
        not {"layer_heads", "layer_intermediate_sizes"}
        & json.loads((tmp_path / "ours/config.json").read_text())["encoder"].keys()
    )


def test_keras_files_keep_the_sizes(pruned, tmp_path):
    pruned.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras")
    assert opened.config == pruned.config
    np.testing.assert_array_equal(opened.predict(TEXTS[:4], verbose=0), pruned.predict(TEXTS[:4], verbose=0))


def test_exports_compute_what_keras_computes(pruned, tmp_path):
    export_tflite(pruned, tmp_path / "model.tflite", [12], TEXTS[:4], "none")
    inputs = pruned.preprocessor(tf.constant(TEXTS[:4]), 12)
    expected = tf.nn.softmax(pruned(inputs)).numpy()
    np.testing.assert_allclose(LiteRTModel(tmp_path / "model.tflite")(inputs)["probabilities"], expected, atol=1e-5)
    export_tflite(pruned, tmp_path / "int8.tflite", [12], TEXTS[:4], "int8")
    export_saved_model(pruned, tmp_path / "served", TEXTS[:4])
    served = tf.saved_model.load(str(next((tmp_path / "served").iterdir())))
    answers = served.signatures["serving_default"](text=tf.constant(TEXTS[:4]))
    np.testing.assert_allclose(answers["probabilities"], expected, atol=1e-5)


def test_a_pruned_model_is_fine_tuned_and_resumed(pruned, run, tmp_path, killed_at_step_5):
    pruned.save_pretrained(tmp_path / "pruned")
    how = {"file": "classes.tsv", "epochs": 2, "model": {"init": str(tmp_path / "pruned")}}
    _, whole = run(output=tmp_path / "whole", **how)
    with killed_at_step_5():
        run(output=tmp_path / "killed", **how)
    _, resumed = run(output=tmp_path / "killed", **how)
    assert resumed["scores"] == whole["scores"]
    first, second = (bert_tf.load(tmp_path / name / "model") for name in ("whole", "killed"))
    assert first.config == pruned.config
    np.testing.assert_array_equal(first.predict(TEXTS[:4], verbose=0), second.predict(TEXTS[:4], verbose=0))


def test_a_trimmed_vocabulary_changes_nothing_for_its_texts(model):
    texts = ["a good film", "good unheard is"]
    trimmed = prune.trim_vocabulary(model, texts)
    assert trimmed.tokenizer.vocabulary == [*VOCABULARY[:6], "film", "a", "is"]
    assert trimmed.config.vocab_size == 9
    np.testing.assert_array_equal(trimmed.predict(texts, verbose=0), model.predict(texts, verbose=0))


def test_a_trimmed_writer_begins_and_ends_as_before():
    vocabulary = ["bad", "the", *VOCABULARY[:5], "good", "film", "a"]
    keras.utils.set_random_seed(1)
    settings = SMALL | {"vocab_size": len(vocabulary), "num_layers": 1}
    model = TextGenerator(Tokenizer(vocabulary), max_length=12, max_target_length=6, **settings)
    model.masked_lm.bias.assign([-99.0] * 2 + [0.0] * 8)  # never writes what is trimmed
    trimmed = prune.trim_vocabulary(model, ["a good film"])
    assert trimmed.tokenizer.vocabulary == vocabulary[2:]
    assert (trimmed.start_id, trimmed.end_id) == (model.start_id - 2, model.end_id - 2)
    assert trimmed.generate(["a film", "good"]) == model.generate(["a film", "good"])


def test_bad_requests(model, pruned):
    importance = rank(model)
    for share in (1.0, -0.1, float("nan")):
        with pytest.raises(ConfigError, match="heads=.*at least 0 and below 1"):
            prune.remove(model, importance, heads=share)
    for by_layer in (False, True):
        with pytest.raises(ConfigError, match="columns=0.99. Nothing would be left of the 32 columns of a layer"):
            prune.remove(model, importance, columns=0.99, by_layer=by_layer)
    with pytest.raises(InputError, match="The importance is of blocks with"):
        prune.remove(pruned, importance, heads=0.5)
    with pytest.raises(InputError, match="'bilstm', which has no transformer blocks"):
        prune.rank(TextClassifier(Tokenizer(VOCABULARY), ["a", "b"], encoder="bilstm", vocab_size=12), ["a"], ["b"])
    with pytest.raises(InputError, match="not trained"):
        prune.rank(make(FillMask), TEXTS, LABELS)
    with pytest.raises(InputError, match="no texts"):
        prune.trim_vocabulary(model, [])
    quantized = make()
    quantized.quantize("int8")
    with pytest.raises(InputError, match="Prune first, then quantize"):
        prune.remove(quantized, importance, heads=0.5)


def test_learned_gates_close_what_the_loss_does_not_need():
    model = make(num_layers=2)
    texts, labels = TEXTS[:8] * 4, LABELS[:8] * 4
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(texts, labels, batch_size=8, epochs=10, verbose=0, seed=0)
    for block in model.encoder.blocks:  # half of the heads, and every second column, do nothing
        heads, columns = block.attention.output_dense.kernel, block.output_dense.kernel
        heads.assign(heads * (np.arange(len(heads.numpy())) >= len(heads.numpy()) // 2)[:, np.newaxis])
        columns.assign(columns * (np.arange(len(columns.numpy())) % 2)[:, np.newaxis])
    learned = prune.learn_gates(model, texts, labels, heads=0.5, columns=0.5, epochs=10, batch_size=8)
    for of_heads, of_columns in zip(learned.heads, learned.columns, strict=True):
        assert of_heads[:2].max() < of_heads[2:].min()
        assert of_columns[::2].max() < of_columns[1::2].mean()
    again = prune.learn_gates(model, texts, labels, heads=0.5, columns=0.5, epochs=10, batch_size=8)
    np.testing.assert_array_equal(again.columns[0], learned.columns[0])


@pytest.mark.parametrize("shares", [{"heads": 1.0}, {"columns": -0.1}])
def test_gates_of_impossible_shares_are_refused(model, shares):
    with pytest.raises(ConfigError, match="share to close, at least 0 and below 1"):
        prune.learn_gates(model, TEXTS[:8], LABELS[:8], **shares)
