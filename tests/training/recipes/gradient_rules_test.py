"""Runs with FGM, R-Drop and privacy: exact resume, the model card, and what is refused."""

import numpy as np
import pytest

import bert_tf
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.training.recipes.finetune_config import make_config

PRIVATE = {"privacy": {"noise_multiplier": 1.0, "delta": 1e-3, "clip_norm": 1.0}}
RULES = {
    "regularized": {"training": {"fgm_epsilon": 0.1, "r_drop_alpha": 1.0, "checkpoint_every": 3}},
    "private": PRIVATE | {"training": {"accumulation_steps": 2, "checkpoint_every": 3}},
}


def weights(folder):
    return {name: weight.numpy() for name, weight in bert_tf.load(folder / "model").named_weights.items()}


@pytest.mark.parametrize("name", ["private", pytest.param("regularized", marks=pytest.mark.soak)])
def test_a_killed_run_goes_on_to_the_same_weights(name, run, tmp_path, killed_at_step_5):
    settings = RULES[name] | {"epochs": 2}
    _, results = run("classes.tsv", tmp_path / "whole", **settings)
    with killed_at_step_5():
        run("classes.tsv", tmp_path / "killed", **settings)
    run("classes.tsv", tmp_path / "killed", **settings)
    whole, killed = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    for weight, value in whole.items():
        np.testing.assert_array_equal(value, killed[weight], err_msg=weight)
    card = (tmp_path / "whole/model/README.md").read_text()
    if name == "regularized":
        assert "| adversarial training | FGM, epsilon 0.1 |" in card
        assert "| R-Drop | alpha 1 |" in card
        return
    spent = results["privacy"]
    assert 2 < spent["epsilon"] < 8
    assert (spent["steps"], spent["sampling_rate"]) == (8, 0.25)
    assert (
        f"| privacy | epsilon {spent['epsilon']:.2f} at delta 0.001, by example, add or remove one (DP-SGD of" in card
    )
    assert "| seed |" not in card


def test_too_few_examples_for_a_private_run(run):
    with pytest.raises(ConfigError, match="delta=0.1 for 32 examples. It must be below 1 / 32"):
        run("classes.tsv", privacy={"epsilon": 8.0, "delta": 0.1})
    with pytest.raises(InputError, match="32 .*fewer than one batch of 64"):
        run("classes.tsv", batch_size=64, **PRIVATE)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["privacy.epsilon=0"], "epsilon must be above 0"),
        (["privacy.epsilon=8", "privacy.delta=1.0"], "delta must be above 0 and below 1"),
        (["privacy.epsilon=8", "privacy.noise_multiplier=1"], "privacy.epsilon and privacy.noise_multiplier"),
        (["privacy.clip_norm=1"], "settings of privacy without privacy.epsilon"),
        (["privacy.epsilon=8", "privacy.clip_norm=none"], "Only with privacy.noise_multiplier=0"),
        (["privacy.epsilon=8", "training.xla=true"], "training.xla with privacy"),
        (["privacy.epsilon=8", "training.fgm_epsilon=1"], "training.fgm_epsilon with privacy"),
        (["privacy.epsilon=8", "data.noise={typos=0.1}"], "data.noise with privacy. An example would be in several"),
        (["training.r_drop_alpha=1", "teacher.model=x"], "r_drop_alpha with teacher.model or several tasks"),
    ],
)
def test_impossible_settings(settings, message):
    with pytest.raises(ConfigError, match=message):
        make_config({}, ["data.train=a.tsv", "data.heldout=b.tsv", "model.init=nowhere", *settings]).check()
