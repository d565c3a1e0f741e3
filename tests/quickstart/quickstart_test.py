"""The main job end to end, made small: every stage on real text, every artifact opened."""

import json
import pydoc_data.topics

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import bert_tf
from bert_tf.quickstart import quickstart
from bert_tf.quickstart.settings import QuickstartConfig

TINY = QuickstartConfig(
    vocab_size=1000,
    num_layers=1,
    hidden_size=32,
    max_length=32,
    max_predictions=5,
    batch_size=32,
    pretrain_steps=60,
    finetune_length=32,
    finetune_epochs=1,
    paragraphs_a_label=200,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two files of Python's own documentation, one for each half of its topics."""
    folder = tmp_path_factory.mktemp("corpus")
    topics = [text for _, text in sorted(pydoc_data.topics.topics.items())]
    for name, half in (("first", topics[::2]), ("第二", topics[1::2])):
        (folder / f"{name}.txt").write_text("\n\n".join(half), encoding="utf-8")
    return str(folder / "*.txt")


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "own"
    return folder, quickstart(folder, corpus, seed=1, config=TINY)


def test_metrics_hold_what_was_measured(finished):
    folder, results = finished
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["pretrain"] == results["pretrain"]
    assert metrics["settings"]["seed"] == 1
    assert 0 < metrics["pretrain"]["masked_lm_commonest_piece"] < 0.5
    steps, losses = metrics["pretrain"]["curves"]["heldout_masked_lm_loss"]
    assert steps == list(range(6, 61, 6))
    first, *_, last = losses
    assert last < first
    assert metrics["fine-tune"]["labels"] == ["first", "第二"]
    assert metrics["ask"]["saved_model_difference"] < 1e-4
    assert metrics["ask"]["tflite_agreement"] >= 0.95


def test_artifacts_open_and_agree(finished):
    folder, results = finished
    model = bert_tf.load(folder / "classifier")
    texts = ["The import statement binds a name.", "A class is an object."]
    serve = tf.saved_model.load(str(folder / results["export"]["saved_model"])).signatures["serving_default"]
    served = serve(text=tf.constant(texts))
    answers = model.predict_text(texts)
    assert [label.decode() for label in served["label"].numpy()] == [answer["label"] for answer in answers]
    np.testing.assert_allclose(served["probability"], [answer["probability"] for answer in answers], atol=1e-5)
    assert Image.open(folder / "curves.png").size[0] > 800
    assert list((folder / "pretraining/logs").rglob("events.out.tfevents.*"))


def test_nothing_half_written_is_left(finished):
    folder, _ = finished
    assert not [path for path in folder.rglob("*") if path.name.endswith(".tmp")]


@pytest.mark.soak  # of its parts: records, resumed pretraining and resumed fine-tuning have tests that compare bits
def test_same_seed_same_numbers(corpus, finished, tmp_path):
    _, results = finished
    again = quickstart(tmp_path / "again", corpus, seed=1, config=TINY)
    for stage in ("pretrain", "fine-tune", "fill masks", "ask"):
        assert again[stage] == results[stage]


def test_one_document_skips_the_classifier(corpus, tmp_path):
    results = quickstart(tmp_path / "one", corpus.replace("*", "first"), seed=1, config=TINY)
    assert "fewer than two files" in results["fine-tune"]["skipped"]
    assert "export" not in results
