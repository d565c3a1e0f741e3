"""The command line: help, messages and exit codes, each in a process of its own."""

import subprocess
import sys

import pytest

from bert_tf.cli.flags import VERBS


def bert_tf(*arguments):
    done = subprocess.run([sys.executable, "-m", "bert_tf", *arguments], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    return done


def test_overview_lists_every_verb_and_needs_no_tensorflow():
    code = "import sys; sys.argv = ['bert-tf', '--help']; from bert_tf.cli.main import main; main()"
    check = f"import atexit, sys; atexit.register(lambda: print('tensorflow' in sys.modules)); {code}"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "False"
    for verb in VERBS:
        assert f"\n  {verb} " in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_help_fits_a_screen_and_shows_an_example(verb):
    done = bert_tf(verb, "--help")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 120
    assert lines[-2:] == ["Example:", f"  {VERBS[verb].example}"]
    for flag in VERBS[verb].flags:
        assert any(line.startswith(f"  --{flag.name}  ") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["vocabb"], 2, "Unknown verb 'vocabb'. Did you mean 'vocab'?"),
        (["export", "--mdel=x"], 2, "mdel"),
        (["export", "--model=x"], 2, "--output is required. Example: bert-tf export"),
        (["predict", "--model=nowhere", "--text=x"], 1, "No such model folder: nowhere"),
        (["predict", "--model=nowhere"], 2, "Give either --text or --input."),
        (["quickstart", "stepps=3"], 2, "Unknown key 'stepps'"),
        (["quickstart", "strange"], 2, "Received: 'strange'."),
    ],
)
def test_one_line_says_what_is_wrong(arguments, code, message, tmp_path):
    done = bert_tf(*arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert done.stderr.startswith("bert-tf: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_full_disk_is_said_without_names_of_operators():
    code = """
import sys
import tensorflow as tf
from bert_tf.cli import main, predict as commands

def predict(flags, overrides):
    message = "{{function_node __wrapped__SaveV2}} a/b.tmp; No space left on device [Op:SaveV2]"
    raise tf.errors.ResourceExhaustedError(None, None, message)

commands.predict = predict
sys.argv = ["bert-tf", "predict", "--model=x"]
main.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "bert-tf: a/b.tmp; No space left on device"
