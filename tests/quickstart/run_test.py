"""The run's folder: stages are done once, an interrupted run resumes, a finished one starts again."""

import io

import pytest
from rich.console import Console

from bert_tf.core.errors import ConfigError
from bert_tf.quickstart.run import Run


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


def test_interrupted_run_resumes(tmp_path, console):
    run = Run(tmp_path / "run", {"seed": 0}, console)
    assert run.stage("one", "does one", lambda: {"value": 1}) == {"value": 1}
    with pytest.raises(KeyboardInterrupt):
        run.stage("two", "is stopped", interrupt)
    again = Run(tmp_path / "run", {"seed": 0}, console)
    assert "Resuming the interrupted run" in console.file.getvalue()
    assert again.stage("one", "does one", interrupt) == {"value": 1}
    assert again.stage("two", "does two", lambda: [2]) == [2]


def interrupt():
    raise KeyboardInterrupt


def test_finished_run_starts_again(tmp_path, console):
    run = Run(tmp_path / "run", {"seed": 0}, console)
    run.stage("one", "does one", lambda: 1)
    (tmp_path / "run/metrics.json").write_text("{}")
    again = Run(tmp_path / "run", {"seed": 0}, console)
    assert "starting again" in console.file.getvalue()
    assert again.stage("one", "does one", lambda: 2) == 2


def test_other_settings_are_refused(tmp_path, console):
    Run(tmp_path / "run", {"seed": 0, "corpus": None}, console)
    Run(tmp_path / "run", {"seed": 2, "corpus": None}, console)  # nothing is lost yet
    run = Run(tmp_path / "run", {"seed": 0, "corpus": None}, console)
    run.stage("one", "does one", lambda: 1)
    with pytest.raises(ConfigError, match="seed: 0 there, 1 now"):
        Run(tmp_path / "run", {"seed": 1, "corpus": None}, console)


def test_a_folder_of_something_else_is_left_alone(tmp_path, console):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="not a quick start's folder"):
        Run(tmp_path, {"seed": 0}, console)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("name", [".settings.json.4711.tmp", ".lock", "settings.json"])
def test_half_written_files_do_not_count(tmp_path, console, name):
    (tmp_path / name).write_text('{"seed":')
    Run(tmp_path, {"seed": 0}, console)
    assert (tmp_path / "settings.json").read_text() == '{\n  "seed": 0\n}\n'


def test_a_damaged_result_of_a_stage_is_computed_again(tmp_path, console):
    run = Run(tmp_path, {"seed": 0}, console)
    run.stage("one", "does one", lambda: 1)
    (tmp_path / "stages/one.json").write_text("")
    assert Run(tmp_path, {"seed": 0}, console).stage("one", "does one", lambda: 2) == 2
    (tmp_path / "settings.json").unlink()
    with pytest.raises(ConfigError, match="settings.json.*remove that folder"):
        Run(tmp_path, {"seed": 0}, console)


def test_the_folder_of_a_training_run_is_refused(tmp_path, console):
    (tmp_path / "settings.json").write_text('{"asked": {}, "settled": {}}')
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(ConfigError, match="not a quick start's folder"):
        Run(tmp_path, {"seed": 0}, console)
