"""Fixtures of the parts that the verbs call, and the command line itself."""

import subprocess

import pytest
from absl import logging
from absl.testing import flagsaver

from bert_tf.cli import main
from tests.data.conftest import corpus, tokenizer  # noqa: F401
from tests.export.conftest import model, texts  # noqa: F401
from tests.serving.conftest import base_path  # noqa: F401
from tests.training.recipes.conftest import init, run, toy, toys  # noqa: F401


@pytest.fixture
def bert_tf_command(monkeypatch, capsys):
    """Runs `bert-tf ARGUMENTS` in the tests' process, which has imported TensorFlow; returns what `subprocess` does."""
    handler, verbosity = logging.get_absl_handler(), logging.get_verbosity()
    formatter = handler.formatter

    def call(*arguments):
        arguments = ["bert-tf", *map(str, arguments)]
        monkeypatch.setattr("sys.argv", arguments)
        capsys.readouterr()
        with flagsaver.flagsaver(), pytest.raises(SystemExit) as ended:
            main.main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return subprocess.CompletedProcess(arguments, ended.value.code or 0, printed.out, printed.err)

    yield call
    logging.set_verbosity(verbosity)
    handler.setFormatter(formatter)
