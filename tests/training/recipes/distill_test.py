"""Fine-tuning with a teacher from files: what is learned from whom, resuming, and teachers that do not fit."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from safetensors import numpy as safetensors

import bert_tf
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.tasks.distillation.teacher import Teacher
from bert_tf.training.callbacks.metrics_logger import read_metrics
from bert_tf.training.recipes.early_checks import check_finetune
from bert_tf.training.recipes.finetune import make_job
from bert_tf.training.recipes.finetune_config import make_config
from bert_tf.weights import read_model
from tests.tasks.samples import LABELS, TEXTS

BILSTM = {"encoder": "bilstm", "fresh": True, "num_layers": 1, "num_heads": 2, "hidden_size": 16}


@pytest.fixture(scope="module")
def teacher(toy, tmp_path_factory):
    """The folder of a classifier that is right about the toy problem, and sure of it."""
    folder, _ = toy("classes")
    model = bert_tf.load(folder / "model")
    logits = model.predict(TEXTS[:4], verbose=0)
    factor = 6 / np.abs(logits[:, 0] - logits[:, 1]).min()  # the best model may be the first that is barely right
    for weight in model.classifier.weights:
        weight.assign(factor * weight)
    folder = tmp_path_factory.mktemp("teacher") / "model"
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def write(tmp_path):
    """A function that writes a TSV file of (label, text) into the test's folder and returns its path."""

    def write_rows(name, rows):
        path = tmp_path / name
        path.write_text("label\ttext\n" + "".join(f"{label}\t{text}\n" for label, text in rows), encoding="utf-8")
        return str(path)

    return write_rows


def test_a_student_learns_from_the_teacher_and_not_from_wrong_labels(run, teacher, write):
    swapped = {"pos": "neg", "neg": "pos"}
    file = write("wrong.tsv", [(swapped[label], text) for text, label in zip(TEXTS, LABELS, strict=True)])
    settings = {"data": {"heldout": "classes.tsv"}, "model": BILSTM, "epochs": 12}
    folder, results = run(file, teacher={"model": str(teacher), "weight": 1.0}, **settings)
    assert results["scores"]["accuracy"] == 1.0
    assert not (folder / "checkpoints").exists()
    assert bert_tf.load(folder / "model").family == "bilstm"
    assert f"| teacher | {teacher} |" in (folder / "model/README.md").read_text()
    assert "teacher_loss" in read_metrics(folder / "metrics.jsonl")[0]


def test_texts_without_labels_teach_what_few_labels_do_not(run, teacher, write):
    few = write("few.tsv", [("pos", "good"), ("neg", "the film is bad")] * 4)
    more = write("more.tsv", [("?", text) for text in TEXTS])
    settings = {"data": {"heldout": "classes.tsv"}, "epochs": 8}
    _, results = run(few, teacher={"model": str(teacher), "unlabelled": more, "weight": 0.9}, **settings)
    assert results["rows"] == 8
    assert results["steps"] == 8 * (8 + 32) // 8
    assert results["scores"]["accuracy"] == 1.0


def test_a_killed_run_goes_on_to_the_same_weights(run, teacher, tmp_path, monkeypatch, killed_at_step_5):
    calls = []
    logits = Teacher.logits
    monkeypatch.setattr(Teacher, "logits", lambda *args: calls.append(1) or logits(*args))
    settings = {"epochs": 2, "training": {"checkpoint_every": 3, "keep_checkpoints": 9}}
    settings["teacher"] = {"model": str(teacher), "hidden_weight": 1.0, "relation_weight": 1.0, "augment": 1}
    settings["model"] = {"fresh": True, "hidden_size": 24, "num_heads": 3, "hidden_dropout": 0.1}
    run("classes.tsv", tmp_path / "whole", **settings)
    with killed_at_step_5():
        run("classes.tsv", tmp_path / "killed", **settings)
    assert len(calls) == 2
    assert list((tmp_path / "killed/checkpoints").glob("teacher-*.safetensors"))
    run("classes.tsv", tmp_path / "killed", **settings)
    assert len(calls) == 2
    whole, killed = (read_model(tmp_path / name / "model").weights for name in ("whole", "killed"))
    assert not any("projection" in name for name in whole)
    for name, value in whole.items():
        np.testing.assert_array_equal(value, killed[name], err_msg=name)


def test_outputs_of_the_teacher_are_read_again_unless_they_are_damaged(init, toys, teacher, tmp_path, caplog):
    data = {"folder": str(toys), "train": "classes.tsv", "heldout": "classes.tsv"}
    settings = {"model": str(teacher), "outputs": str(tmp_path / "kept")}
    config = make_config({"data": data, "model": {"init": str(init)}, "teacher": settings})
    job = make_job(config)
    job.make_model(dataclasses.replace(config.training, precision="float32"))
    found: list = []
    for _ in range(2):
        for path in (tmp_path / "kept").glob("*"):
            path.write_bytes(b"\x00" * 20)
        job.prepare()
        job.teach(tmp_path, tf.distribute.get_strategy())
        (path,) = (tmp_path / "kept").iterdir()
        found.append(safetensors.load_file(path)["logits"])
    assert found[0].shape == (32, 2)
    np.testing.assert_array_equal(found[1], found[0])
    assert "damaged" in caplog.text
    job.prepare()
    job.train_examples = job.train_examples.take(np.arange(16))
    job.teach(tmp_path, tf.distribute.get_strategy())
    assert len(list((tmp_path / "kept").iterdir())) == 2  # other examples
    job.prepare()
    job.teach(tmp_path, tf.distribute.get_strategy())
    inputs, targets, _ = next(iter(job.batches(8)))
    assert inputs["input_ids"].shape[0] == 8 and targets["teacher"].shape == (8, 2)


@pytest.mark.parametrize("own_tokens", [False, True])
def test_copies_with_noise_learn_what_the_teacher_says_about_their_originals(
    init, toys, teacher, tmp_path, monkeypatch, own_tokens
):
    data = {"folder": str(toys), "train": "classes.tsv", "heldout": "classes.tsv"}
    noise = {"noise": {"typos": 1.0}, "noise_copies": 2}
    settings = {"model": str(teacher), "outputs": str(tmp_path), "augment": 0 if own_tokens else 1}
    config = make_config({"data": data | noise, "model": {"init": str(init)}, "teacher": settings})
    job = make_job(config)
    job.make_model(dataclasses.replace(config.training, precision="float32"))
    monkeypatch.setattr(job.distiller.teacher, "reads_rows", not own_tokens)
    job.prepare()
    job.teach(tmp_path, tf.distribute.get_strategy())
    (path,) = tmp_path.glob("*.safetensors")
    logits = safetensors.load_file(path)["logits"]
    rows = len(TEXTS)
    assert len(logits) == (3 if own_tokens else 6) * rows
    np.testing.assert_allclose(logits[:rows], bert_tf.load(teacher).predict(job.rows[0].texts[0], verbose=0), atol=1e-5)
    np.testing.assert_array_equal(logits[rows : 3 * rows], np.tile(logits[:rows], (2, 1)))
    copies = job.learned.texts[0]
    assert copies[rows : 2 * rows] != copies[:rows]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"teacher": {"weight": 0.3}}, "Received: teacher.weight without a teacher. Set teacher.model"),
        ({"teacher": {"model": "m", "weight": 0.0, "augment": 2}}, "teacher.augment with teacher.weight=0"),
        ({"teacher": {"model": "m", "layers": [1]}}, "teacher.layers without losses of layers"),
        (
            {"teacher": {"model": "m"}, "task": "embedding"},
            "task='embedding'. Tasks with teachers: class",
        ),
        (
            {"teacher": {"model": "m", "weight": 2.0}},
            "weight=2.0. weight must be at least 0 and at most 1",
        ),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    data = {"train": "a.tsv", "heldout": "b.tsv"}
    with pytest.raises(ConfigError, match=message):
        make_config({"data": data, "model": {"init": "x"}} | settings).check()


def test_wrong_paths_are_refused_before_anything_is_trained(init, toys, teacher, tmp_path):
    def check(task="classification", file="classes.tsv", **settings):
        data = {"folder": str(toys), "train": file, "heldout": file}
        values = {"task": task, "data": data, "model": {"init": str(init)}, "output": str(tmp_path / "run")}
        check_finetune(make_config(values | {"teacher": {"model": str(teacher)} | settings}))

    check(unlabelled="classes.tsv")
    with pytest.raises(InputError, match="No such model folder: nowhere"):
        check(model="nowhere")
    with pytest.raises(InputError, match="No such file: .*more.tsv"):
        check(unlabelled="more.tsv")
    with pytest.raises(ConfigError, match="whose task is classification, with task='tagging'"):
        check(task="tagging", file="tags.bio")
    with pytest.raises(ConfigError, match="whose task is None, with task='classification'"):
        check(model=str(init))


def test_a_teacher_of_other_labels_is_refused(run, teacher, write, tmp_path):
    file = write("other.tsv", [("yes", "good"), ("no", "bad")] * 8)
    data = {"heldout": file}
    with pytest.raises(ConfigError, match="a teacher with the labels neg, pos, and a student with no, yes"):
        run(file, tmp_path / "run", data=data, teacher={"model": str(teacher)})
    assert not (tmp_path / "run").exists()
