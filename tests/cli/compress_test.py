"""The verb `compress`: steps until a target is reached, kept for another one; and targets that cannot be."""

import json
import shutil

import keras
import pytest

import bert_tf
from bert_tf.core.errors import ConfigError
from bert_tf.export.compress import compress
from bert_tf.export.compress_target import Measured, Target
from bert_tf.tasks import TextClassifier
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.training.recipes.finetune_config import make_config
from tests.tasks.samples import SIZES, VOCABULARY

TRAINING = ("epochs=1", "batch_size=8", "training.precision=float32", "teacher.hidden_weight=0.5")


def point(name, size, latency, points):
    return Measured(name, "", size, latency, 0.9 - points / 100, points, "")


MILD, MIDDLE, HARD = point("mild", 20e6, 4.0, 0.1), point("middle", 9e6, 2.5, 0.8), point("hard", 5e6, 1.0, 3.0)


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("size=8MB", Target(size=8e6)),
        ("size=1.5MiB, points=0", Target(size=1.5 * 2**20, points=0.0)),
        ("latency=500us", Target(latency=0.5)),
    ],
)
def test_targets(text, limits):
    assert Target.parse(text) == limits


@pytest.mark.parametrize(
    "text", ["", "size", "size=8", "size=8ms", "weight=8MB", "size=0MB", "size=-1MB", "points=1,points=2", "size=xMB"]
)
def test_what_is_no_target(text):
    with pytest.raises(ConfigError, match="Received: --target="):
        Target.parse(text)


def test_the_first_within_a_size_ends_the_steps():
    target = Target(size=10e6)
    assert [target.ends([MILD]), target.ends([MIDDLE])] == [False, True]
    assert target.choose([MILD, MIDDLE]) == (MIDDLE, True)


def test_of_points_alone_the_fastest_within_them():
    target = Target(points=1.0)
    assert [target.ends([MILD]), target.ends([MIDDLE, HARD]), target.ends([HARD])] == [False, False, True]
    assert target.choose([MILD, MIDDLE, HARD]) == (MIDDLE, True)


def test_the_nearest_where_none_is_within():
    assert Target(size=1e6).choose([MILD, MIDDLE, HARD]) == (HARD, False)
    assert Target(size=10e6, points=0.5).choose([MILD, MIDDLE, HARD]) == (MIDDLE, False)  # 1.6 times; MILD is 2


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("compress") / "model"
    sizes = SIZES | {"num_layers": 2, "num_heads": 4, "initializer_range": 0.2}
    TextClassifier(Tokenizer(VOCABULARY), ["neg", "pos"], max_length=12, **sizes).save_pretrained(folder)
    return folder


def test_steps_to_a_target_and_to_another_one(bert_tf_command, model, toys, tmp_path):
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    rows, output = toys / "classes.tsv", tmp_path / "small"
    flags = ("compress", f"--model={model}", f"--data={rows}", f"--heldout={rows}", f"--output={output}", *TRAINING)
    done = bert_tf_command(*flags, "--target=size=1GB")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("whole reaches size=1GB")
    assert bert_tf.load(output / "model").config.num_layers == 2
    finished = (output / "steps/whole/int8.json").stat().st_mtime_ns

    failed = bert_tf_command(*flags, "--target=size=1KB")
    assert failed.returncode == 1
    assert "No step reaches the target. The nearest is layers-1" in failed.stderr
    names = ["whole", "vocabulary", "pruned", "layers-1"]
    assert [line.split()[0] for line in failed.stdout.splitlines()] == names
    found = json.loads((output / "compress.json").read_text())
    assert [step["name"] for step in found["steps"]] == names
    assert found["chosen"] == "layers-1"
    sizes = [step["size"] for step in found["steps"]]
    assert sizes[-1] < sizes[2] < sizes[0]
    assert (output / "model.tflite").stat().st_size == sizes[-1]
    assert (output / "steps/whole/int8.json").stat().st_mtime_ns == finished
    smallest = bert_tf.load(output / "model")
    assert (smallest.config.num_layers, sum(smallest.config.layer_heads)) == (1, 3)
    resolved = json.loads((output / "steps/pruned/run/settings.json").read_text())
    asked = resolved["asked"]["teacher"]
    assert (asked["model"], asked["hidden_weight"]) == (str(output / "steps/vocabulary/changed"), 0.5)
    assert len(list((output / "steps/teacher").iterdir())) == 1  # of the same rows for both trainings
    for name in ("README.md", "compress.png"):
        assert (output / name).exists()
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before

    other = bert_tf_command(*flags, "--target=size=1GB", "--length=8")
    assert other.returncode == 2
    assert "is of other settings" in other.stderr


def test_files_of_several_lengths_and_forms(model, toys, tmp_path):
    rows = {"train": str(toys / "classes.tsv"), "heldout": str(toys / "classes.tsv")}
    config = make_config({"data": rows, "model": {"init": str(model)}, "output": str(tmp_path / "small")})
    found: list = []
    chosen = compress(config, Target(size=1e9), [8, 12], ["none", "float16"], found.append)
    assert [one.name for one in found] == ["whole-none", "whole-float16"]
    assert found[1].size < found[0].size
    report = json.loads((tmp_path / "small/model.json").read_text())
    assert report["lengths"] == [12, 8]
    assert report["quantize"] == chosen.name.removeprefix("whole-")
    assert chosen.latency == report["latency_ms"]["12"]["1"]


def test_what_is_refused_before_any_work(bert_tf_command, model, toys, tmp_path):
    flags = (f"--model={model}", f"--data={toys / 'classes.tsv'}", f"--output={tmp_path / 'small'}")
    refused = {
        ("--target=8MB",): "size=8MB, latency=2ms or points=1",
        ("--target=points=1", "--quantize=int8_full"): "calibrated",
        ("--target=points=1", "--length=32;64"): "--length=32;64. Write one number",
        ("--target=points=1", f"--config={tagging(tmp_path)}"): "which is for tagging, and a model for classification",
    }
    for more, message in refused.items():
        done = bert_tf_command("compress", *flags, *more)
        assert done.returncode == 2
        assert message in done.stderr
    assert not (tmp_path / "small").exists()


def test_an_encoder_is_no_model_of_a_task(bert_tf_command, init, toys, tmp_path):
    flags = (f"--model={init}", f"--data={toys / 'classes.tsv'}", f"--output={tmp_path / 'small'}")
    done = bert_tf_command("compress", *flags, "--target=points=1")
    assert done.returncode == 2
    assert "no model of a task. Fine-tune it first" in done.stderr


def test_a_folder_of_something_else(bert_tf_command, model, toys, tmp_path):
    shutil.copytree(toys, tmp_path / "mine")
    flags = (f"--model={model}", f"--data={toys / 'classes.tsv'}", f"--output={tmp_path / 'mine'}")
    done = bert_tf_command("compress", *flags, "--target=points=1")
    assert done.returncode == 2
    assert "holds something else" in done.stderr


def tagging(folder):
    path = folder / "tagging.toml"
    path.write_text('task = "tagging"\n')
    return path
