"""A small encoder's folder, files of toy data, and fine-tuning runs on them."""

import contextlib
import json

import keras
import pytest
import tensorflow as tf

from bert_tf.modeling.families.bert import BertEncoder
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.training.callbacks.run_callbacks import TerminateOnDivergence
from bert_tf.training.recipes.finetune import finetune
from bert_tf.training.recipes.finetune_config import make_config
from tests.tasks.samples import LABELS, SIZES, TEXTS, VOCABULARY

# A run for each kind of task: what `run` is given.
TOYS = {
    "classes": {"file": "classes.tsv", "epochs": 8},
    "labels": {"file": "labels.tsv", "epochs": 24, "model": {"problem_type": "multi_label_classification"}},
    "scores": {
        "file": "scores.tsv",
        "epochs": 12,
        "data": {"columns": ("a", "b"), "target": "score"},
        "model": {"problem_type": "regression", "pooling": "mean"},
    },
    "tags": {"file": "tags.bio", "epochs": 12, "task": "tagging", "model": {"scheme": "BIOES"}},
    "questions": {
        "file": "questions.json",
        "epochs": 12,
        "task": "question_answering",
        "model": {"max_length": 12},
    },
    "pairs": {"file": "pairs.tsv", "epochs": 12, "task": "embedding", "model": {"objective": "contrastive"}},
    "choices": {"file": "choices.jsonl", "epochs": 12, "task": "multiple_choice"},
    "pictures": {
        "file": "pictures.tsv",
        "epochs": 12,
        "task": "multimodal_classification",
        "model": {"image_size": 8, "image_patch": 4, "modality_dropout": 0.1},
    },
    "texts": {
        "file": "texts.{source,target}",
        "epochs": 12,
        "task": "generation",
        "model": {"max_target_length": 8},
    },
}
TRAINING = {"learning_rate": 0.01, "precision": "float32", "strategy": "one"}
QUESTION = {"question": "is the film", "context": "the film is bad", "answers": [{"text": "bad", "answer_start": 12}]}


@pytest.fixture(scope="session")
def init(made_once):
    def make(folder):
        keras.utils.set_random_seed(0)
        BertEncoder(**SIZES | {"hidden_dropout": 0.1}).save_pretrained(folder, Tokenizer(VOCABULARY))

    return made_once("init", make)


@pytest.fixture(scope="session")
def toys(made_once):
    """Files of toy problems, one for each kind of task."""
    return made_once("toys", write_toys)


def write_toys(folder):
    folder.mkdir()
    rows = list(zip(TEXTS, LABELS, strict=True))

    def write(name, lines):
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")

    write("classes.tsv", ["label\ttext", *(f"{label}\t{text}" for text, label in rows)])
    write("labels.tsv", ["labels\ttext", *(f"{label},{'film' * ('film' in text)}\t{text}" for text, label in rows)])
    write("scores.tsv", ["score\ta\tb", *(f"{5 * (text == 'good')}\tgood\t{text}" for text, _ in rows)])
    write("pairs.tsv", ["text\ttext_pair", *(f"{text}\t{text}" for text, _ in rows)])
    choices = [{"context": text, "endings": ["bad", "good"], "label": int(label == "pos")} for text, label in rows]
    write("choices.jsonl", map(json.dumps, choices))
    for label, shade in (("pos", 255), ("neg", 0)):
        picture = tf.io.encode_png(tf.fill([8, 8, 3], tf.constant(shade, tf.uint8)))
        (folder / f"{label}.png").write_bytes(picture.numpy())
    write("pictures.tsv", ["label\ttext\timage", *(f"{label}\tgood film\t{label}.png" for _, label in rows)])
    write("texts.source", TEXTS)
    write("texts.target", ["good film" if label == "pos" else "a bad film" for label in LABELS])
    tag = {"good": "B-UP", "bad": "B-DOWN"}
    write("tags.bio", [line for text, _ in rows for line in [*(f"{w}\t{tag.get(w, 'O')}" for w in text.split()), ""]])
    question = {"id": "q", "question": QUESTION["question"], "answers": QUESTION["answers"]}
    paragraphs = [{"context": QUESTION["context"], "qas": [question | {"id": f"q{i}"}]} for i in range(16)]
    write("questions.json", [json.dumps({"data": [{"paragraphs": paragraphs}]})])


@pytest.fixture(scope="session")
def run(init, toys, tmp_path_factory):
    """Fine-tunes on a toy file: settings of `FinetuneConfig` and its parts to the run's folder and what it returns."""

    def start(file, output=None, data=(), model=(), training=(), **settings):
        output = output or tmp_path_factory.mktemp("run") / "run"
        values = {"output": str(output), "batch_size": 8, "epochs": 4} | settings
        values["data"] = {"folder": str(toys), "train": file, "heldout": file} | dict(data)
        values["model"] = {"init": str(init)} | dict(model)
        values["training"] = TRAINING | dict(training)
        return output, finetune(make_config(values))

    return start


@pytest.fixture
def killed_at_step_5(monkeypatch):
    """A context in which a run is killed after its fifth step, and has to be."""

    @contextlib.contextmanager
    def context():
        with monkeypatch.context() as patched:
            check = TerminateOnDivergence.on_train_batch_end

            def die(callback, batch, logs=None):
                check(callback, batch, logs)
                if callback.trainer.step == 5:
                    raise RuntimeError("killed")

            patched.setattr(TerminateOnDivergence, "on_train_batch_end", die)
            with pytest.raises(RuntimeError, match="killed"):
                yield

    return context


@pytest.fixture(scope="session")
def toy(run, made_once):
    """(run folder, results) of one of `TOYS`, trained once for all tests of all processes; tests leave it as it is."""

    def trained(name):
        folder = made_once(f"toy_{name}", lambda folder: run(**TOYS[name], output=folder))
        return folder, json.loads((folder / "metrics.json").read_text())

    return trained
