"""Imports go downward only: reads every import statement of the package, those inside functions too."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parent.parent / "bert_tf"
# From the bottom up: a part imports itself and the parts before it. Two modules come before the rest of their part:
# they define what a task returns to the part that asks it (`EvaluationResult`, `TFLiteOutputs`), so tasks import them.
BELOW_TASKS = ("evaluation.results", "export.tflite_outputs")
ORDER = (
    "core",
    "text",
    "media",
    "weights",
    "modeling",
    "generation",
    "data",
    *BELOW_TASKS,
    "tasks",
    "evaluation",
    "training",
    "export",
)
ALLOWED = {part: set(ORDER[: i + 1]) for i, part in enumerate(ORDER)} | {"serving": {"core", "serving"}}
FREE = {"cli", "__init__", "__main__", "quickstart"}


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(module):
    """The part of the order that a module of the package, "evaluation.results" for instance, belongs to."""
    return next((part for part in BELOW_TASKS if f"{module}.".startswith(f"{part}.")), module.split(".")[0])


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_downward(path):
    part = part_of(".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    if part in FREE:
        return
    modules = [name.removeprefix("bert_tf.") for name in imported_modules(path) if name.startswith("bert_tf.")]
    assert {part_of(module) for module in modules} <= ALLOWED[part]


@pytest.mark.parametrize("path", sorted((PACKAGE / "modeling").rglob("*.py")), ids=lambda path: path.name)
def test_modeling_knows_no_tensorflow(path):
    if path.name in ("train_step.py", "xla.py"):  # which say themselves why
        return
    assert not {name.split(".")[0] for name in imported_modules(path)} & {"tensorflow", "tensorflow_text", "tf_keras"}
