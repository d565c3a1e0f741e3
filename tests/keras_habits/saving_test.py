"""Saved and opened, copied, cloned, pickled: a model with equal answers."""

import copy
import json
import pickle
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

from bert_tf.core import keras_objects
from bert_tf.core.errors import InputError
from bert_tf.modeling.families import FAMILIES
from bert_tf.tasks import TASKS
from bert_tf.tasks.base import saved_tokenizer
from bert_tf.tasks.base.task import Task
from bert_tf.training.optimizers.make_optimizer import make_optimizer
from tests.keras_habits.models import BUILDERS, INPUTS, LABELS, TEXTS, around, classifier, encoder


@pytest.fixture
def as_in_another_process(monkeypatch):
    """Forgets the tokenizers of this process, so that a file's own vocabulary has to be read."""
    monkeypatch.setattr(saved_tokenizer, "_KNOWN", {})


def with_weights_of(model, copied):
    """Keras's clones and configs have no weights."""
    copied.set_weights(model.get_weights())
    return copied


COPIES = {
    "from_config": lambda model: with_weights_of(model, type(model).from_config(model.get_config())),
    "json": lambda model: with_weights_of(model, keras.models.model_from_json(model.to_json())),
    "clone_model": lambda model: with_weights_of(model, keras.models.clone_model(model)),
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
}


# All kinds go through `from_config` in the tests of files below, which the other ways to copy end in.
COPIED = ("functional", "replaced_token_pretrainer", "multi_task", "classification")
KINDS = [pytest.param(kind, marks=() if kind in COPIED else pytest.mark.soak) for kind in BUILDERS]


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("sample", KINDS, indirect=True)
def test_copies_give_the_same_answers(sample, how, eagerly):
    copied = COPIES[how](sample.model)
    sample.assert_same_answers(copied)
    assert copied.count_params() == sample.model.count_params()
    assert type(copied) is type(sample.model)


def test_keras_files_give_the_same_answers(sample, tmp_path, as_in_another_process, eagerly):
    sample.model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras")
    sample.assert_same_answers(opened)
    assert json.dumps(opened.get_config()) == json.dumps(sample.model.get_config())
    if isinstance(opened, Task):
        assert opened.tokenizer.vocabulary == sample.model.tokenizer.vocabulary
        assert opened.task_settings() == sample.model.task_settings()


def test_another_process_opens_the_files(tmp_path):
    """`import bert_tf` is all that another program needs, before or after `import keras`."""
    model = classifier()
    model.save(tmp_path / "task.keras")
    functional = around(encoder())
    functional.compile(make_optimizer("adamw", 1e-3), "mse")
    functional.save(tmp_path / "functional.keras")
    code = """
        import sys, bert_tf, keras
        assert "tensorflow_text" not in sys.modules
        task, functional = (keras.saving.load_model(path) for path in sys.argv[1:])
        print(task.predict_text(["a good film"])[0]["probability"], type(functional.optimizer.inner).__name__)
    """
    code = "\n".join(line.strip() for line in code.splitlines())
    paths = [str(tmp_path / "task.keras"), str(tmp_path / "functional.keras")]
    answer = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True).stdout
    probability, optimizer = answer.split()[-2:]
    assert float(probability) == pytest.approx(model.predict_text(["a good film"])[0]["probability"], abs=1e-5)
    assert optimizer == "AdamW"


def test_the_vocabulary_is_an_asset(tmp_path):
    model = classifier()
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        assert file.read("assets/vocab.txt").decode().split() == model.tokenizer.vocabulary
        config = json.loads(file.read("config.json"))["config"]
    assert config["labels"] == ["neg", "pos"]
    assert "film" not in json.dumps(config)


def test_a_config_alone_reads_no_text(as_in_another_process):
    model = classifier()
    config = model.get_config()
    saved_tokenizer._KNOWN.clear()
    alone = type(model).from_config(config)
    with pytest.raises(InputError, match=r"no vocabulary.*load_model"):
        alone.predict_text(["a good film"])


def test_training_goes_on_where_the_file_was_written(tmp_path):
    """Optimizer state, loss and metrics come back: the next step is that of a run that was not interrupted."""
    model = classifier()
    model.compile(make_optimizer("adamw", 1e-2))
    model.fit(TEXTS, LABELS, batch_size=8, seed=0, verbose=0)
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras")
    target = np.array([0, 1])
    losses = [[float(each.train_on_batch(INPUTS, target)[0]) for _ in range(2)] for each in (model, opened)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert losses[0][1] != losses[0][0]
    assert opened.optimizer.iterations.numpy() == 6
    assert [metric.name for metric in opened.metrics] == [metric.name for metric in model.metrics]


def test_a_compiled_pretrainer_and_several_tasks_are_trained_on(tmp_path):
    for name, targets in (
        ("pretrainer", {"masked_lm_logits": np.array([[5], [6]]), "next_sentence_logits": np.array([[0], [1]])}),
        ("multi_task", {"sentiment": np.array([0, 1]), "words": np.zeros((2, 4), "int32")}),
    ):
        sample = BUILDERS[name]()
        sample.model.compile("adam")
        sample.model.save(tmp_path / "model.keras")
        opened = keras.saving.load_model(tmp_path / "model.keras")
        weights = {key: np.ones(value.shape, "float32") for key, value in targets.items()}
        losses = [each.train_on_batch(sample.inputs, targets, weights) for each in (sample.model, opened)]
        assert float(losses[0][0]) == pytest.approx(float(losses[1][0]), abs=1e-6)


def test_weights_files(sample, tmp_path, eagerly):
    sample.model.save_weights(tmp_path / "model.weights.h5")
    other = COPIES["from_config"](sample.model)
    for variable in other.weights:
        variable.assign(keras.ops.zeros_like(variable))
    other.load_weights(tmp_path / "model.weights.h5")
    sample.assert_same_answers(other)


def test_frozen_layers_stay_frozen(tmp_path):
    model = classifier()
    model.encoder.trainable = False
    model.encoder.blocks[0].output_dense.trainable = True
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras")
    names = [variable.path.split("/", 1)[1] for variable in model.trainable_variables]
    assert len(names) == 4
    assert [variable.path.split("/", 1)[1] for variable in opened.trainable_variables] == names


def test_every_model_is_registered():
    keras_objects.register(keras)
    known = keras.saving.get_custom_objects()
    classes = [FAMILIES[name].encoder for name in FAMILIES] + [TASKS[name].load("model") for name in TASKS]
    for cls in classes:
        assert known[f"bert_tf>{cls.__name__}"] is cls
        assert cls.__name__ in keras_objects.CLASSES.get(cls.__module__, ()), f"{cls} is missing in keras_objects.py"
