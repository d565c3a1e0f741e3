"""Wrong paths are named before TensorFlow is imported."""

import subprocess
import sys

import pytest

from bert_tf.core.config import override
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.training.config import PretrainConfig
from bert_tf.training.recipes.early_checks import check_finetune, check_pretrain
from bert_tf.training.recipes.finetune_config import make_config


@pytest.fixture
def paths(tmp_path):
    """A folder with a model folder, a data file and a folder of another program."""
    for name in ("model", "thesis", "records"):
        (tmp_path / name).mkdir()
    (tmp_path / "model/config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model/model.safetensors").write_text("")
    (tmp_path / "thesis/thesis.tex").write_text("")
    (tmp_path / "records/a.tfrecord").write_text("")
    (tmp_path / "a.csv").write_text("text,label\na film,good\n")
    return tmp_path


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        (
            "model.init=bert-base-chinese",
            InputError,
            "No such model folder: bert-base-chinese .* Did you mean hf://google-bert/bert-base-chinese",
        ),
        ("model.init=hf://hfl", ConfigError, "Received: hf://hfl"),
        ("model.init={0}/thesis", InputError, "holds no model that bert_tf knows"),
        ("model.encoder=albrt", ConfigError, "Did you mean 'albert'"),
        ("data.train=b.csv", InputError, "No such file: .*b.csv"),
        ("data.heldout=b.csv", InputError, "No such file: .*b.csv"),
        ("data.train=a.xyz", ConfigError, "the name does not tell the format"),
        ('data.columns=["txt"]', InputError, "'txt'"),
        ("output={0}/thesis", ConfigError, "holds something else than a run: thesis.tex"),
        ("output={0}/a.csv", ConfigError, "is a file"),
    ],
)
def test_wrong_paths_of_fine_tuning(paths, setting, error, message):
    good = [f"model.init={paths}/model", f"data.folder={paths}", f"output={paths}/run"]
    good += ["data.train=a.csv", "data.heldout=a.csv"]
    check_finetune(make_config({}, good))
    with pytest.raises(error, match=message):
        check_finetune(make_config({}, [*good, setting.format(paths)]))
    assert not (paths / "run").exists()


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ("data.records={0}/none", InputError, "No file matches"),
        ("data.heldout={0}/none", InputError, "No file matches"),
        ("model.init={0}/none", InputError, "No such model folder"),
        ("model.encoder=electre", ConfigError, "encoder family 'electre'. Did you mean 'electra'"),
        ("model.vocabulary={0}/none.txt", InputError, "none.txt"),
        ("output={0}/thesis", ConfigError, "something else"),
    ],
)
def test_wrong_paths_of_pretraining(paths, setting, error, message):
    good = override(PretrainConfig(), [f"data.records={paths}/records", "training.steps=3", f"output={paths}/run"])
    check_pretrain(good)
    with pytest.raises(error, match=message):
        check_pretrain(override(good, [setting.format(paths)]))


def test_the_checks_import_no_tensorflow(paths):
    script = f"""
import sys
from bert_tf.cli import finetune, pretrain
from bert_tf.training.recipes.early_checks import check_finetune
from bert_tf.training.recipes.finetune_config import make_config
files = ["model.init={paths}/model", "data.train={paths}/a.csv", "data.heldout={paths}/a.csv"]
check_finetune(make_config({{}}, files))
assert not {{"tensorflow", "keras"}} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", script], check=True)
