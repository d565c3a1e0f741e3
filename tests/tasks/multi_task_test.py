"""Several tasks on one encoder: shares, learning, folders that open alone."""

import keras
import numpy as np
import pytest

import bert_tf
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.tasks import QuestionAnswerer, TextClassifier, TextEmbedder
from bert_tf.tasks.multi_task import MultiTask
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import LABELS, SIZES, TEXTS, VOCABULARY

DATA = {
    "mood": (TEXTS, LABELS),
    "alike": ((["good", "bad", "film", "the"] * 2, ["is good", "a bad", "bad", "film"] * 2), [1, 1, 0, 0] * 2),
}


@pytest.fixture(scope="module")
def model():
    return make()


def make():
    keras.utils.set_random_seed(1)
    mood = TextClassifier(Tokenizer(VOCABULARY), ["neg", "pos"], max_length=12, **SIZES)
    alike = TextEmbedder(mood.tokenizer, max_length=12, encoder=mood.encoder)
    return MultiTask({"mood": mood, "alike": alike}, {name: len(targets) for name, (_, targets) in DATA.items()})


def test_shares(model):
    assert model.shares == pytest.approx({"mood": 0.8, "alike": 0.2})
    assert model.rows_of(10) == [8, 2]
    assert model.rows_of(7) == [6, 1]
    assert model.rows_of(2) == [1, 1]
    sizes = {"mood": 900, "alike": 100}
    assert MultiTask(model.tasks, sizes, temperature=2).shares == pytest.approx({"mood": 0.75, "alike": 0.25})
    assert MultiTask(model.tasks, sizes, temperature=1e9).shares == pytest.approx({"mood": 0.5, "alike": 0.5})
    with pytest.raises(ConfigError, match="batch_size=1"):
        model.rows_of(1)


def test_batches_begin_anywhere(model):
    whole = list(model.dataset(DATA, 10, shuffle=True, seed=3, repeat=2))
    assert len(whole) == 8
    (x, y, weight), *_ = model.dataset(DATA, 10, shuffle=True, seed=3, repeat=2, start=5)
    for name in DATA:
        np.testing.assert_array_equal(x[name]["input_ids"], whole[5][0][name]["input_ids"])
        np.testing.assert_array_equal(y[name], whole[5][1][name])
        assert len(weight[name]) == len(y[name])


def test_learns_all_tasks_and_saves_each(model, tmp_path):
    before = model.tasks["mood"].encoder.blocks[0].intermediate.kernel.numpy()
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(DATA, epochs=15, batch_size=10, verbose=0)
    scores = model.score(DATA)
    assert scores["mood/accuracy"] == 1.0
    assert scores["alike/pearson"] > 0.9
    assert scores["mean"] == pytest.approx((1 + scores["alike/spearman"]) / 2)
    assert np.abs(model.tasks["alike"].encoder.blocks[0].intermediate.kernel.numpy() - before).max() > 0
    model.save_pretrained(tmp_path / "all")
    for name, task in model.tasks.items():
        loaded = bert_tf.load(tmp_path / "all" / name)
        assert type(loaded) is type(task)
        assert loaded.predict_text(TEXTS[:4]) == task.predict_text(TEXTS[:4])


def test_accumulation_gives_the_same_step():
    """Batches are cut into parts of a static size: the step is that of the whole batch."""
    model = make()
    data = model.dataset(DATA, 10, drop_remainder=True, repeat=None)
    inputs, targets, weights = data.element_spec
    assert [inputs[name]["input_ids"].shape[0] for name in DATA] == [8, 2]
    assert [targets[name].shape[0] for name in DATA] == [weights[name].shape[0] for name in DATA] == [8, 2]
    before = model.get_weights()
    after = []
    for parts in (1, 2):
        model.set_weights(before)
        model.compile(keras.optimizers.SGD(0.5), accumulation_steps=parts)
        model.fit(data, steps_per_epoch=1, verbose=0)
        after.append(model.get_weights())
    assert max(np.abs(new - old).max() for new, old in zip(after[0], before, strict=True)) > 1e-3
    for whole, accumulated in zip(*after, strict=True):
        np.testing.assert_allclose(accumulated, whole, atol=1e-5)


def test_heads_of_every_shape_go_together(model):
    """A task with two losses, too: each counts by the task's share."""
    mood = model.tasks["mood"]
    spans = QuestionAnswerer(mood.tokenizer, max_length=12, encoder=mood.encoder)
    both = MultiTask({"mood": mood, "spans": spans}, {"mood": 30, "spans": 10})
    both.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    contexts = ["a good film", "the film is bad"]
    spots = [[{"text": "good", "answer_start": 2}], [{"text": "bad", "answer_start": 12}]]
    data = {"mood": (contexts, ["pos", "neg"]), "spans": ((["film", "film"], contexts), spots)}
    losses = both.fit(data, batch_size=8, verbose=0, steps_per_epoch=1).history
    parts = {name: value[0] for name, value in losses.items() if name != "loss"}
    assert len(parts) == 3
    weighted = sum((0.75 if "mood" in name else 0.25) * value for name, value in parts.items())
    assert losses["loss"][0] == pytest.approx(weighted, rel=1e-4)


def test_pooler_is_trained_if_one_task_reads_it(model):
    assert model.tasks["mood"].encoder.pooler.trainable
    embedders = {"a": TextEmbedder(model.tasks["mood"].tokenizer, encoder=model.tasks["mood"].encoder)}
    assert not MultiTask(embedders, {"a": 1}).tasks["a"].encoder.pooler.trainable
    assert MultiTask(model.tasks, dict.fromkeys(DATA, 1)).tasks["mood"].encoder.pooler.trainable


def test_every_example_counts_once_in_evaluation(model):
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    shares = model.shares
    losses = []
    for name, task in model.tasks.items():
        task.compile(run_eagerly=True)
        losses.append(shares[name] * task.evaluate(*DATA[name], verbose=0, return_dict=True)["loss"])
    for size in (64, 10, 20):
        found = model.evaluate(DATA, batch_size=size, verbose=0, return_dict=True)
        assert found["loss"] == pytest.approx(sum(losses), abs=1e-4)
    history = model.fit(DATA, batch_size=20, validation_data=DATA, validation_batch_size=10, verbose=0).history
    assert history["val_loss"] == [pytest.approx(sum(losses), abs=1e-4)]
    logits = model.predict({"mood": TEXTS[:3]}, verbose=0)
    np.testing.assert_allclose(logits["mood"], model.tasks["mood"].predict(TEXTS[:3], verbose=0), atol=1e-6)


def test_weights_of_examples_are_part_of_a_tasks_data(model):
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    weighted = {"mood": (*DATA["mood"], [1.0] + [0.0] * 31), "alike": DATA["alike"]}
    found = model.evaluate(weighted, batch_size=64, verbose=0, return_dict=True)["mood_loss"]
    model.tasks["mood"].compile(run_eagerly=True)
    first = model.tasks["mood"].evaluate(TEXTS[:1], LABELS[:1], verbose=0)[0]
    assert found == pytest.approx(first, abs=1e-4)


def test_other_forms_of_data_are_refused_with_the_form(model):
    model.compile()
    form = r"Give \{'mood': \(texts, targets\), 'alike': \(texts, targets\)\}"
    for data, message in (
        ({"mood": DATA["mood"]}, r"Received data for \['mood'\]"),
        (TEXTS, "Received data for"),
        ({"mood": TEXTS, "alike": DATA["alike"]}, "Received for 'mood'"),
    ):
        with pytest.raises(InputError, match=f"{message}.*{form}"):
            model.fit(data, verbose=0)
    with pytest.raises(InputError, match=f"targets apart from the texts.*{form}"):
        model.fit({"mood": TEXTS, "alike": DATA["alike"][0]}, {"mood": LABELS, "alike": DATA["alike"][1]})
    with pytest.raises(ConfigError, match="class_weight for several tasks"):
        model.fit(DATA, class_weight={"mood": {"pos": 2}})


def test_encoders_must_be_one(model):
    other = TextClassifier(Tokenizer(VOCABULARY), ["neg", "pos"], **SIZES)
    with pytest.raises(ConfigError, match="share one encoder"):
        MultiTask({"mood": model.tasks["mood"], "other": other}, {"mood": 1, "other": 1})
