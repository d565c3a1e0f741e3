"""Small records to train on, and a config that trains a tiny model on them."""

import dataclasses

import pytest

from bert_tf.data.pretraining.make_records import RecordsConfig, write_records
from bert_tf.training.config import ModelConfig, PhaseConfig, PretrainConfig, TrainingConfig
from bert_tf.training.recipes.pretrain import pretrain
from tests.data.conftest import corpus, tokenizer  # noqa: F401 (fixtures)

TINY = {"hidden_size": 16, "num_layers": 1, "num_heads": 2, "max_positions": 64}
QUICK = {"steps": 12, "precision": "float32", "log_every": 3, "evaluate_every": 6, "checkpoint_every": 4}


@pytest.fixture(scope="session")
def records(corpus, tokenizer, made_once):  # noqa: F811
    """Folders of records: "short" rows of 32 pieces, "long" ones of 64, "dynamic" without masks, "single" sequences,
    "order" pairs that may be swapped.
    """
    kinds = {name: {"max_length": 32} for name in ("short", "dynamic", "single", "order")} | {
        "long": {"max_length": 64}
    }
    kinds["single"]["objective"] = "none"
    kinds["order"]["objective"] = "sentence_order"

    def make(root):
        for name, settings in kinds.items():
            common = {"max_predictions": 5, "dupe_factor": 2, "num_processes": 1, "static_masking": name != "dynamic"}
            write_records(corpus, tokenizer, root / name, RecordsConfig(**common, **settings))

    return made_once("records", make)


@pytest.fixture
def config(records, tmp_path):
    """A run of 12 steps in `tmp_path`/run."""
    return config_in(tmp_path, records)


@pytest.fixture(scope="session")
def trained(records, tmp_path_factory):
    """The run of `config`, trained once for all tests: (its config, its scores)."""
    config = config_in(tmp_path_factory.mktemp("trained"), records)
    return config, pretrain(config)


def config_in(folder, records):
    return PretrainConfig(
        output=str(folder / "run"),
        model=ModelConfig(**TINY),
        data=PhaseConfig(records=str(records / "short"), heldout=str(records / "short"), batch_size=8),
        training=TrainingConfig(**QUICK),
    )


def changed(config, **parts):
    """The config with fields of its parts changed: `changed(config, training={"steps": 3})`."""
    new = {
        name: dataclasses.replace(getattr(config, name), **value) if isinstance(value, dict) else value
        for name, value in parts.items()
    }
    return dataclasses.replace(config, **new)
