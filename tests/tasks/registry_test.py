"""The registry of tasks: light to import, and the only place outside a task's folder that names it."""

import ast
import pathlib
import subprocess
import sys

import pytest

import bert_tf.tasks
from bert_tf.core.errors import ConfigError
from bert_tf.tasks import TASKS

PACKAGE = pathlib.Path(bert_tf.__file__).parent
# A name that means something else as well: next sentence prediction is an objective of pretraining, whose head and
# weights are called after it.
OTHER_MEANINGS = {"next_sentence": ("data/pretraining/", "modeling/", "training/", "weights/")}


def task_names_in(path):
    """Names of tasks among the string literals of a file."""
    literals = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
    return {name for name in TASKS if name in literals}


def test_no_other_part_names_a_task():
    named = {}
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE).as_posix()
        in_own_folder = any(place.startswith(f"tasks/{name}/") for name in TASKS)
        if in_own_folder or place == "tasks/__init__.py":  # the registry
            continue
        names = {name for name in task_names_in(path) if not place.startswith(OTHER_MEANINGS.get(name, ()) or "-")}
        if names:
            named[place] = names
    assert named == {}


def test_a_task_names_no_other():
    for name in TASKS:
        for path in (PACKAGE / "tasks" / name).rglob("*.py"):
            assert task_names_in(path) <= {name}, path


@pytest.mark.parametrize("name", TASKS)
def test_places_of_a_spec_can_be_imported(name):
    spec = TASKS[name]
    assert spec.name == name
    model = spec.load("model")
    assert (model.SPEC, getattr(bert_tf.tasks, model.__name__)) == (spec, model)
    for attribute in ("targets", "analyze", "tflite_outputs"):
        if getattr(spec, attribute):
            assert callable(spec.load(attribute))


@pytest.mark.parametrize("name", TASKS)
def test_examples_have_all_texts_of_a_request(name):
    spec = TASKS[name]
    assert len(spec.example) == len(spec.texts)
    assert [isinstance(text, list) for text in spec.example] == [False] * (len(spec.texts) - 1) + [
        spec.last_text_is_list
    ]


def test_unknown_task_gets_the_nearest_name():
    with pytest.raises(ConfigError, match="Did you mean 'tagging'"):
        TASKS["taging"]
    with pytest.raises(AttributeError, match="no attribute 'TextTager'"):
        bert_tf.tasks.TextTager  # noqa: B018


def test_the_registry_imports_no_tensorflow():
    program = (
        "import sys; from bert_tf.tasks import TASKS; [spec.settings() for spec in TASKS.values()]; "
        "sys.exit(bool({'tensorflow', 'keras', 'numpy'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
