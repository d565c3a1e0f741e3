"""Checkpoints are complete or absent; a damaged one is set aside; the newest and the best are kept."""

import json
import pathlib

import keras
import numpy as np
import pytest
from safetensors import SafetensorError

from bert_tf.core.errors import InputError
from bert_tf.training.checkpoint_manager import CheckpointManager


@pytest.fixture
def variables():
    return {"model/0": keras.Variable([1.0, 2.0]), "optimizer/0": keras.Variable(3, dtype="int64")}


def test_what_is_saved_comes_back(tmp_path, variables):
    checkpoints = CheckpointManager(tmp_path)
    checkpoints.save(7, variables, {"scores": {"loss": 1.5}})
    variables["model/0"].assign([9.0, 9.0])  # the copy was taken before
    checkpoints.wait()
    assert checkpoints.newest() == 7
    assert checkpoints.metadata(7)["scores"] == {"loss": 1.5}
    checkpoints.restore(7, variables)
    np.testing.assert_array_equal(variables["model/0"].numpy(), [1, 2])
    assert variables["optimizer/0"].numpy() == 3


@pytest.mark.parametrize(
    "other, reason",
    [
        ({"model/0": keras.Variable([0.0, 0.0, 0.0])}, r"has shape \[2\] there and \[3\] here"),
        ({"model/0": keras.Variable([0.0, 0.0]), "optimizer/1": keras.Variable(0)}, "is missing"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused_and_changes_nothing(tmp_path, variables, other, reason):
    checkpoints = CheckpointManager(tmp_path)
    checkpoints.save(7, variables, {})
    checkpoints.wait()
    with pytest.raises(InputError, match=f"does not fit this model: .* {reason}"):
        checkpoints.restore(7, other)
    assert not other["model/0"].numpy().any()


def test_the_newest_and_the_best_stay(tmp_path, variables):
    checkpoints = CheckpointManager(tmp_path, keep=2)
    for step, score in enumerate([0.1, 0.9, 0.3, None, 0.5, None], 1):
        checkpoints.save(step, variables, {"score": score})
    checkpoints.wait()
    assert checkpoints.steps() == [2, 5, 6]
    assert checkpoints.best() == 2


@pytest.mark.parametrize("damage", ["cut", "flipped", "about", "empty"])
def test_a_damaged_one_is_set_aside(tmp_path, variables, damage, caplog):
    checkpoints = CheckpointManager(tmp_path)
    for step in (1, 2):
        checkpoints.save(step, variables, {})
    checkpoints.wait()
    folder = tmp_path / "step-00000002"
    state = folder / "state.safetensors"
    content = bytearray(state.read_bytes())
    content[-1] ^= 1
    {
        "cut": lambda: state.write_bytes(state.read_bytes()[:-4]),
        "flipped": lambda: state.write_bytes(content),
        "about": lambda: (folder / "about.json").write_text("{"),
        "empty": state.unlink,
    }[damage]()
    assert checkpoints.newest() == 1
    assert (tmp_path / "damaged-step-00000002").exists()
    assert "set aside" in caplog.text


def test_what_a_kill_left_half_written_is_cleared(tmp_path):
    (tmp_path / ".step-00000003.123.tmp").mkdir()
    assert CheckpointManager(tmp_path).newest() == 0
    assert not list(tmp_path.iterdir())


def test_workers_that_do_not_write_change_nothing(tmp_path, variables):
    (tmp_path / ".step-00000003.123.tmp").mkdir()
    checkpoints = CheckpointManager(tmp_path, writes=False)
    checkpoints.save(1, variables, {})
    checkpoints.wait()
    assert [path.name for path in tmp_path.iterdir()] == [".step-00000003.123.tmp"]


def test_a_failure_to_write_is_told(tmp_path, variables, monkeypatch):
    def full(*arguments):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("bert_tf.training.checkpoint_manager.safetensors.save_file", full)
    checkpoints = CheckpointManager(tmp_path)
    checkpoints.save(1, variables, {})
    with pytest.raises(InputError, match="step 1 cannot be written: .*No space left"):
        checkpoints.wait()
    assert not list(pathlib.Path(tmp_path).glob("*"))


@pytest.mark.parametrize(
    "about",
    ["", "[]", "3", "{}", '{"scores": [], "score": 0.9}', '{"score": "0.9"}', '{"score": 0.9, "history": [0.5, null]}'],
)
def test_impossible_metadata_are_damage(tmp_path, variables, about):
    checkpoints = CheckpointManager(tmp_path)
    for step, score in ((1, 0.1), (2, 0.2), (3, 0.1)):
        checkpoints.save(step, variables, {"score": score, "scores": {"loss": 1.0}, "history": [score]})
    checkpoints.wait()
    path = tmp_path / "step-00000002/about.json"
    if about.startswith('{"'):  # all else is as it was
        about = json.dumps(json.loads(path.read_text()) | json.loads(about))
    path.write_text(about)
    assert checkpoints.metadata(2) == {}
    assert checkpoints.best() == checkpoints.best_intact() == 1
    assert checkpoints.newest() == 3


def test_the_best_intact_one_is_found(tmp_path, variables):
    checkpoints = CheckpointManager(tmp_path)
    for step in (1, 2):
        checkpoints.save(step, variables, {"score": float(step)})
    checkpoints.wait()
    (tmp_path / "step-00000002/state.safetensors").write_bytes(b"")
    assert checkpoints.best() == 2
    assert checkpoints.best_intact() == 1
    assert checkpoints.best() == 1  # the damaged one is set aside
