"""The command line: help, messages and exit codes, mostly in processes of their own."""

import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf

import bert_tf
from bert_tf.cli import predict
from bert_tf.cli.flags import VERBS

ROOT = pathlib.Path(__file__).parent.parent.parent


def run(*arguments):
    done = subprocess.run([sys.executable, "-m", "bert_tf", *arguments], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    return done


# Runs the command line where importing a heavy package fails, and prints which of them are loaded at the end.
WITHOUT_TENSORFLOW = """
import atexit, sys

HEAVY = {"tensorflow", "tensorflow_text", "keras", "numpy", "matplotlib", "sklearn", "scipy", "tokenizers"}

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HEAVY:
            raise ImportError(f"imports {name}")

sys.meta_path.insert(0, Blocker())
atexit.register(lambda: print(sorted(HEAVY & set(sys.modules))))
from bert_tf.cli.main import main
main()
"""


def without_tensorflow(*arguments):
    """Exit code, the lines of standard output and standard error."""
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert lines.pop() == "[]"
    return done.returncode, lines, done.stderr


def test_overview_lists_every_verb_without_tensorflow():
    code, lines, _ = without_tensorflow("--help")
    assert code == 0
    for verb in VERBS:
        assert any(line.startswith(f"  {verb} ") for line in lines)


def test_the_version_is_the_packages():
    assert without_tensorflow("--version") == (0, [f"bert-tf {bert_tf.__version__}"], "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vocabb"], "Unknown verb 'vocabb'. Did you mean 'vocab'?"),
        (["export", "--mdel=x"], "mdel"),
        (["export", "--model=x"], "--output is required. Example: bert-tf export"),
        (["quickstart", "strange"], "Received: 'strange'."),
        (["vocab", "--input=a", "--output=b", "lower_cse=1"], "Unknown key 'lower_cse'. Did you mean 'lower_case'?"),
        (["evaluate", "--model=a", "--data=b", "colums=1"], "Unknown key 'colums'. Did you mean 'columns'?"),
        (["export", "--model=.", "--output=b", "data.colums=1"], "Unknown key 'data.colums'."),
        (["export", "--model=.", "--output=b", "--format=coreml"], "Received: --format=coreml."),
        (["predict", "--model=a", "--text=b", "encoding=utf9"], "Received: encoding='utf9'."),
        (["predict", "--model=a", "--text=b", "columns=" + "[" * 10_000], "[[[...: nested too deeply."),
    ],
)
def test_a_wrong_command_line_is_answered_without_tensorflow(arguments, message):
    code, lines, error = without_tensorflow(*arguments)
    assert (code, lines) == (2, [])
    assert message in error
    assert error.startswith("bert-tf: ")
    assert error.count("\n") == 1


def test_a_reader_that_has_seen_enough_gets_no_traceback():
    command = [sys.executable, "-m", "bert_tf", "pretrain", "--help-settings"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_configs_are_listed_with_their_first_line(tmp_path):
    code, lines, _ = without_tensorflow("configs")
    assert code == 0
    assert [line.split()[0] for line in lines] == sorted(path.stem for path in (ROOT / "configs").glob("*.toml"))
    assert "conll2003                     CoNLL-2003: named entities in news (English)." in lines
    assert all(len(line) <= 118 for line in lines)


def test_known_models_are_listed_by_language():
    code, lines, _ = without_tensorflow("models")
    assert code == 0
    assert [line for line in lines if line.isalpha()] == ["Chinese", "English", "Multilingual"]
    place = lines.index("  hf://google-bert/bert-base-chinese")
    assert lines[place + 1] == "      BERT, 102 M, Apache-2.0: fine-tuning of any task; the usual start"
    assert "  hf://hfl/chinese-macbert-base *" in lines
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("verb", VERBS)
def test_help_fits_a_screen_and_shows_an_example(verb):
    code, lines, _ = without_tensorflow(verb, "--help")
    assert code == 0
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 120
    assert lines[-2:] == ["Example:", f"  {VERBS[verb].example}"]
    for flag in VERBS[verb].flags:
        named = f"  --{flag.name}  " if flag.help else f"--{flag.name}="  # in the line of another flag
        assert any(line.startswith(named) if flag.help else named in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["predict", "--model=nowhere", "--text=x"], 1, "No such model folder: nowhere"),
        (["predict", "--model=nowhere"], 2, "Give either --text or --input."),
        (["quickstart", "stepps=3"], 2, "Unknown key 'stepps'"),
    ],
)
def test_one_line_says_what_is_wrong(arguments, code, message, tmp_path):
    done = run(*arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert done.stderr.startswith("bert-tf: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_full_disk_is_said_without_names_of_operators(bert_tf_command, monkeypatch):
    def fail(flags, overrides):
        message = "{{function_node __wrapped__SaveV2}} a/b.tmp; No space left on device [Op:SaveV2]"
        raise tf.errors.ResourceExhaustedError(None, None, message)

    monkeypatch.setattr(predict, "predict", fail)
    done = bert_tf_command("predict", "--model=x")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "bert-tf: a/b.tmp; No space left on device"
