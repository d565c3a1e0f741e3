"""The notebooks of examples/: the code of the scripts, the outputs of a run, and a run on tiny models."""

import json

import pytest

from tests.examples.examples_test import SCRIPTS
from tools import notebooks

PRINTED = {name: words for name, (_, _, words) in SCRIPTS.items()} | {"pretraining": "Model: "}


def read(name):
    return json.loads((notebooks.EXAMPLES / f"{name}.ipynb").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", notebooks.NAMES)
def test_a_notebook_is_its_script_with_outputs(name):
    cells, found = notebooks.cells_of(name), read(name)["cells"]
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in found] == [(c.kind, c.source) for c in cells]
    code = [cell for cell in found if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} == {"stream"}  # no errors
    printed = "".join(line for output in outputs for line in output["text"])
    assert PRINTED[name] in printed
    assert "sys.argv" not in json.dumps(found)


def test_every_script_has_a_notebook():
    assert {path.stem for path in notebooks.EXAMPLES.glob("*.py")} == set(notebooks.NAMES)
    assert {path.stem for path in notebooks.EXAMPLES.glob("*.ipynb")} == set(notebooks.NAMES)


@pytest.mark.parametrize("name", notebooks.NAMES)
def test_a_notebook_has_jupyters_format(name):
    pytest.importorskip("nbformat").validate(read(name))


def test_outputs_are_shown_as_on_a_terminal():
    assert notebooks.as_shown("1/2 \x1b[1m--\x1b[0m\b\b\b\b2/2 ==\ndone\n") == "2/2 ==\ndone\n"
    assert notebooks.as_shown("10%\r100%\n") == "100%\n"
    assert notebooks.as_shown("2/2 ━━ 1s 30ms/step - loss: 0.5\n") == "2/2 ━━ loss: 0.5\n"


@pytest.mark.soak  # tests/examples/examples_test.py runs the same lines as scripts
@pytest.mark.parametrize("name", notebooks.NAMES)
def test_a_notebook_runs(name, models, chinese_text, tmp_path):
    if name == "pretraining":
        values = {"corpus": chinese_text, "folder": tmp_path / "own", "steps": 2, "tokens": 31}
    else:
        model, output, _ = SCRIPTS[name]
        values = {"OUTPUT": str(tmp_path / output)} | dict.fromkeys(("MODEL", "TEACHER"), str(models / model))
    assert PRINTED[name] in "".join(notebooks.run(notebooks.cells_of(name), values))
