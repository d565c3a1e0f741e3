"""Imports go downward only: reads every import statement of the package, those inside functions too."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parent.parent / "bert_tf"
BASE = {"errors", "features", "files", "config", "progress"}
ALLOWED = {
    "errors": set(),
    "features": set(),
    "files": set(),
    "config": {"errors"},
    "progress": set(),
    "checkpoints": BASE | {"text"},
    "text": BASE,
    "modeling": BASE | {"checkpoints", "text"},
    "data": BASE | {"text"},
    "tasks": BASE | {"modeling", "checkpoints", "data", "text"},
    "training": BASE | {"tasks", "modeling", "checkpoints", "data", "text"},
    "finetuning": BASE | {"training", "tasks", "modeling", "checkpoints", "data", "text"},
    "export": BASE | {"tasks", "modeling", "checkpoints", "data", "text"},
    "serving": {"errors", "features", "files"},
}
FREE = {"cli", "verbs", "__init__", "__main__", "quickstart"}


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_downward(path):
    part = part_of(path)
    if part in FREE:
        return
    parts = {name.split(".")[1] for name in imported_modules(path) if name.startswith("bert_tf.")}
    assert parts <= ALLOWED[part] | {part}


@pytest.mark.parametrize("path", sorted((PACKAGE / "modeling").glob("*.py")), ids=lambda path: path.name)
def test_modeling_knows_no_tensorflow(path):
    if path.name in ("distributed.py", "fusion.py"):  # which say themselves why
        return
    assert not {name.split(".")[0] for name in imported_modules(path)} & {"tensorflow", "tensorflow_text", "tf_keras"}
