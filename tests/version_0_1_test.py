"""Folders that version 0.1 wrote: models open and answer, stopped runs resume and end with the weights of whole ones.

version_0_1.zip holds models of every task, data and records, runs of 20 steps that were killed after the 12th (runs/),
and the weights that the same runs had after step 20 where nothing stopped them (ends/), all written by version 0.1.
"""

import json
import pathlib
import types
import zipfile

import numpy as np
import pytest
from safetensors.numpy import load_file

import bert_tf
from bert_tf.cli import finetune as finetune_verb
from bert_tf.cli import pretrain as pretrain_verb

ARCHIVE = pathlib.Path(__file__).with_name("version_0_1.zip")
# Settings of the stopped runs, as overrides of an empty config.
FINETUNE = {
    "classification": ("classes.tsv",),
    "tagging": ("tags.bio", "task=tagging", "model.scheme=BIOES"),
    "question_answering": ("questions.json", "task=question_answering", "model.max_length=12", "epochs=8"),
    "embedding": ("pairs.tsv", "task=embedding", "model.objective=contrastive"),
}
PRETRAIN = [
    "data.records=records",
    "data.heldout=records",
    "data.batch_size=8",
    "model.hidden_size=16",
    "model.num_layers=2",
    "model.num_heads=2",
    "model.max_positions=64",
    "training.steps=20",
    "training.precision=float32",
    "training.log_every=5",
    "training.evaluate_every=10",
    "training.checkpoint_every=5",
    "training.evaluate_batches=5",
    "training.keep_checkpoints=1",
]
TEXTS = {"question_answering": (["is the film"], ["the film is bad"]), "next_sentence": (["good"], ["a film"])}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("version_0_1")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    (folder / "empty.toml").write_text("")
    return folder


@pytest.mark.parametrize(
    "name",
    ["classification", "multi_label", "regression", "tagging", "embedding", "bilstm", *TEXTS, "fill_mask"],
)
def test_models_open_and_answer(folder, name):
    model = bert_tf.load(folder / "models" / name)
    texts = TEXTS.get(name, ["a [MASK] film"] if name == "fill_mask" else ["a good film"])
    (answer,) = model.predict_text(texts)
    assert answer
    if name == "classification":
        assert answer["label"] == "pos"


def test_pretrained_models_open(folder):
    for cls, name in ((bert_tf.BertEncoder, "encoder"), (bert_tf.BertPretrainer, "pretrainer")):
        model = cls.from_pretrained(folder / "models" / name)
        assert model.config.hidden_size == 16


# The state of a run is the same for all tasks; models of all of them are opened above.
RESUMED = [pytest.param(name, marks=pytest.mark.soak if name in ("tagging", "embedding") else ()) for name in FINETUNE]


@pytest.mark.parametrize("name", RESUMED)
def test_stopped_fine_tuning_resumes(folder, monkeypatch, caplog, name):
    monkeypatch.chdir(folder)
    file, *settings = FINETUNE[name]
    flags = types.SimpleNamespace(
        config="empty.toml",
        output=f"runs/{name}",
        init="models/encoder",
        data="data",
        workers=0,
        skip_bad_rows=False,
        encoding=None,
    )
    overrides = [f"data.train={file}", f"data.heldout={file}", "batch_size=8", "epochs=5", *settings]
    training = ("learning_rate=0.01", "precision=float32", "strategy=one", "checkpoint_every=5")
    finetune_verb.finetune(flags, [*overrides, *(f"training.{setting}" for setting in training)])
    assert "from step 10" in caplog.text
    metrics, whole = (json.loads((folder / p).read_text()) for p in (f"runs/{name}/metrics.json", f"ends/{name}.json"))
    assert metrics["best_step"] == whole["best_step"]
    assert metrics["scores"] == pytest.approx(whole["scores"], abs=1e-3)
    assert bert_tf.load(f"runs/{name}/model").predict_text(TEXTS.get(name, ["a good film"]))


def test_stopped_pretraining_resumes(folder, monkeypatch, caplog):
    monkeypatch.chdir(folder)
    flags = types.SimpleNamespace(config="empty.toml", output="runs/pretrain", workers=0)
    pretrain_verb.pretrain(flags, PRETRAIN)
    assert "from step 10" in caplog.text
    expected = np.load("ends/pretrain.npz")
    model = bert_tf.BertPretrainer.from_pretrained("runs/pretrain/model")
    found = model.to_weights()
    assert found.keys() == set(expected.files)
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-4, err_msg=name)
    assert load_file("runs/pretrain/checkpoints/step-00000020/state.safetensors")["optimizer/0000"] == 20
