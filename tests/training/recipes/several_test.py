"""Several tasks from one config: learned together, resumed, each a model of its own; configs that cannot be."""

import json

import numpy as np
import pytest

import bert_tf
from bert_tf.core.errors import ConfigError
from bert_tf.training.recipes.finetune import finetune
from bert_tf.training.recipes.finetune_config import load_config, make_config
from bert_tf.weights import read_model

MOOD = """
[data]
train = "classes.tsv"
heldout = "classes.tsv"
"""
NAMES = """
task = "tagging"
[data]
train = "tags.bio"
heldout = "tags.bio"
[model]
scheme = "BIOES"
"""


@pytest.fixture
def several(tmp_path, toys, init):
    """The config of two toy tasks, with overrides."""
    for name, text in {"mood": MOOD, "names": NAMES}.items():
        (tmp_path / f"{name}.toml").write_text(text)

    def config(*overrides):
        both = [f"{tmp_path}/mood.toml", f"{tmp_path}/names.toml"]
        settings = [f"tasks={both}", f"model.init={str(init)!r}", f"data.folder={str(toys)!r}", "batch_size=8"]
        settings += ["training.learning_rate=0.01", "training.precision=float32", "training.strategy=one"]
        return make_config({"output": str(tmp_path / "run")}, [*settings, *overrides])

    return config


def test_tasks_are_learned_together_and_open_alone(several, tmp_path):
    results = finetune(several("epochs=16", "temperature=2"))
    assert results["metric"] == "mean"
    assert results["scores"]["mood/accuracy"] == 1.0
    assert results["scores"]["names/f1"] >= 0.9
    assert results["scores"]["mean"] == (results["scores"]["mood/accuracy"] + results["scores"]["names/f1"]) / 2
    assert results["rows"] == results["heldout_rows"] == 64
    assert results == json.loads((tmp_path / "run/metrics.json").read_text())
    mood, names = (bert_tf.load(tmp_path / "run/model" / name) for name in ("mood", "names"))
    assert mood.predict_text(["good"])[0]["label"] == "pos"
    assert names.predict_text(["a good film"])[0]["entities"][0]["type"] == "UP"
    one, other = (read_model(tmp_path / "run/model" / name).weights for name in ("mood", "names"))
    shared = [name for name in one if name.startswith("encoder/") and "pooler" not in name]
    assert len(shared) > 10
    for name in shared:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    card = (tmp_path / "run/model/names/README.md").read_text()
    assert "classes.tsv (32 rows, 0 bad ones left out); tags.bio (32 rows, 0 bad ones left out)" in card


def test_a_killed_run_of_several_tasks_goes_on_to_the_same_weights(several, tmp_path, killed_at_step_5):
    settings = ["epochs=1", "training.checkpoint_every=3", "training.keep_checkpoints=9"]
    finetune(several(*settings))
    killed = several(*settings, f"output={str(tmp_path / 'killed')!r}")
    with killed_at_step_5():
        finetune(killed)
    finetune(killed)
    for name in ("mood", "names"):
        weights = [read_model(tmp_path / run / "model" / name).weights for run in ("run", "killed")]
        for key, value in weights[0].items():
            np.testing.assert_array_equal(value, weights[1][key], err_msg=key)


def test_a_task_changed_in_its_config_is_another_run(several, tmp_path):
    finetune(several("epochs=1"))
    (tmp_path / "names.toml").write_text(NAMES + "max_length = 8\n")
    with pytest.raises(ConfigError, match="a run with other settings: tasks"):
        finetune(several("epochs=1"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.train=classes.tsv"], "both tasks and data.train"),
        (["temperature=0"], "temperature=0.0"),
        (["tasks=['nowhere.toml']"], "No such config: nowhere.toml"),
    ],
)
def test_configs_that_cannot_be(overrides, message, several):
    with pytest.raises(ConfigError, match=message):
        finetune(several(*overrides))


def test_one_task_alone_is_not_several(several, tmp_path):
    with pytest.raises(ConfigError, match="Name at least two configs"):
        finetune(several(f"tasks=['{tmp_path}/mood.toml']"))


def test_the_config_of_three_tasks_loads(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)
    config = load_config("configs/sst2_mrpc_stsb.toml", ["model.init=x"])
    config.check()
    assert list(config.parts()) == ["sst2", "mrpc", "stsb"]
    assert config.parts()["stsb"].model.problem_type == "regression"
