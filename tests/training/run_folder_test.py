"""States of a run's folder: what is resumed, what is cleared, and what is refused in one line."""

import json

import pytest

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.training.run_folder import locked, read_settings

SETTINGS = {"asked": {"output": "run"}, "settled": {"steps": 3, "precision": "float32"}}


def test_settings_of_a_run_are_read(tmp_path):
    assert read_settings(tmp_path / "new") == read_settings(tmp_path) == {}
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS))
    assert read_settings(tmp_path) == SETTINGS
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]


@pytest.mark.parametrize("name", [".settings.json.4711.tmp", ".settings.json.0a1b2c3d.tmp", ".model.ff00.new", ".lock"])
def test_what_a_kill_left_half_written_does_not_count(tmp_path, name):
    run = tmp_path / "run"
    run.mkdir()
    (run / name).write_text('{"asked": {')
    assert read_settings(run) == {}
    with locked(run):
        if name.endswith(".tmp"):
            assert not (run / name).exists()
        (run / "settings.json").write_text(json.dumps(SETTINGS))
    assert read_settings(run) == SETTINGS


@pytest.mark.parametrize("text", ["", '{"asked": {', '{"asked": {}, "settled": {"steps": "3"}}'])
def test_damaged_settings_count_only_where_something_was_trained(tmp_path, text):
    (tmp_path / "settings.json").write_text(text)
    assert read_settings(tmp_path) == {}
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(InputError, match=r"settings.json.*Restore the file") as error:
        read_settings(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("thesis.tex", "", "something else than a run: thesis.tex"),
        ("settings.json", '{"corpus": null, "seed": 0}', "not of a training run"),
        ("settings.json", "[]", "not of a training run"),
        ("settings.json", '{"asked": {}, "settled": []}', "not of a training run"),
    ],
)
def test_a_folder_of_something_else_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_settings(tmp_path)
    with pytest.raises(ConfigError, match="is a file"):
        read_settings(tmp_path / name)


def test_a_second_process_is_refused_and_a_refused_run_leaves_nothing(tmp_path):
    with locked(tmp_path / "run"):
        with pytest.raises(InputError, match="in use by another process"), locked(tmp_path / "run"):
            pass
        with locked(tmp_path / "run", writes=False):  # another worker of the run
            pass
        assert (tmp_path / "run").exists()
    assert not (tmp_path / "run").exists()
