"""Writes the notebooks of examples/ from the scripts there, runs them and keeps their outputs.

python tools/notebooks.py --model FOLDER --corpus 'TEXT/*.txt' [--only sentiment] [--steps 200]

FOLDER, an all-MiniLM-L6-v2, stands in for the pretrained models that the scripts name.
"""

import argparse
import ast
import contextlib
import dataclasses
import io
import json
import pathlib
import re
import tempfile
from typing import Any

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"
NAMES = ("sentiment", "entities", "questions", "search", "pretraining", "phone", "distillation", "explanation")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_ARGUMENT = re.compile(r"(?:int\()?sys\.argv\[\d\]\)? if len\(sys\.argv\) > \d else ")
_INTRODUCTION = """# {title}

The notebook of `examples/{name}.py`; explained in `docs/tutorials/`. Install: `pip install 'bert_tf[hub]'`.
Its outputs are those of a short run on two busy CPU cores{start}."""
_STAND_IN = ", from `all-MiniLM-L6-v2` instead of the model that the code names"


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell without its outputs; `kind` is "markdown" or "code"."""

    kind: str
    source: str
    has_parameters: bool = False

    def with_values(self, values: dict[str, Any]) -> str:
        """The code with other values of its parameters."""
        if not self.has_parameters:
            return self.source
        code = self.source
        for name, value in values.items():
            expression = f"pathlib.Path({str(value)!r})" if isinstance(value, pathlib.Path) else repr(value)
            code = re.sub(rf"^{name} = .*$", f"{name} = {expression}", code, flags=re.M)
        return code


def cells_of(name: str) -> list[Cell]:
    """The cells of a script: one for each of its paragraphs; comments that begin a paragraph are text.

    Arguments of the command line become assignments of their defaults.
    """
    script = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    tree = ast.parse(script)
    title = (ast.get_docstring(tree) or "").partition("\n")[0].rstrip(".")
    start = _STAND_IN if "hf://" in script else ""
    introduction = _INTRODUCTION.format(title=title, name=name, start=start)
    if first := re.search(r"(\w+) being the folder that (\w+)\.py writes", script):
        introduction += f"\n`{first[1]}` is the folder that the notebook `{first[2]}.ipynb` writes."
    cells = [Cell("markdown", introduction)]
    body = "\n".join(script.splitlines()[tree.body[0].end_lineno :]).strip()
    imports: list[str] = []
    for paragraph in re.split(r"\n\n+(?=\S)", body):
        if all(line.startswith(("import ", "from ")) for line in paragraph.splitlines()):
            imports.append(paragraph.replace("import sys", "").strip("\n"))
            continue
        if imports:
            cells.append(Cell("code", "\n\n".join(filter(None, imports))))
            imports = []
        comment, code = re.fullmatch(r"((?:# [^\n]*\n)*)(.*)", paragraph, re.S).groups()
        if comment:
            cells.append(Cell("markdown", comment.replace("# ", "", 1).replace("\n# ", "\n").strip()))
        plain = _ARGUMENT.sub("", code)
        cells.append(Cell("code", plain, has_parameters=plain != code))
    return cells


def run(cells: list[Cell], values: dict[str, Any]) -> list[str]:
    """Runs the code cells one after the other; returns what each of them prints."""
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = []
    for cell in cells:
        if cell.kind == "code":
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(cell.with_values(values), "<cell>", "exec"), names)
            printed.append(as_shown(output.getvalue()))
    return printed


def as_shown(text: str) -> str:
    """Text as a terminal shows it at the end: what carriage returns and backspaces wrote over is left out.

    So are the times of Keras's progress bars, which tell of the machine.
    """
    lines = []
    for line in text.split("\n"):
        shown = re.sub(r"[\b]+", "\r", re.sub(r"\x1b\[\d*m", "", line)).rstrip("\r ")
        lines.append(re.sub(r" \w+ \w+/step - ", " ", shown.rpartition("\r")[2]))
    return "\n".join(lines)


def write(name: str, cells: list[Cell], printed: list[str]) -> None:
    """Writes examples/NAME.ipynb, nbformat 4.5."""
    outputs = iter(printed)
    found = []
    for number, cell in enumerate(cells):
        content: dict[str, Any] = {"cell_type": cell.kind, "id": f"{name}-{number}", "metadata": {}}
        content["source"] = cell.source.splitlines(keepends=True)
        if cell.has_parameters:
            content["metadata"]["tags"] = ["parameters"]
        if cell.kind == "code":
            text = next(outputs)
            stream = {"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)}
            content["execution_count"] = sum(one["cell_type"] == "code" for one in found) + 1
            content["outputs"] = [stream] if text else []
        found.append(content)
    notebook = {"cells": found, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    (EXAMPLES / f"{name}.ipynb").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--only", choices=NAMES)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            if flags.only in (None, name, "sentiment" if name in ("phone", "distillation", "explanation") else None):
                cells = cells_of(name)
                printed = run(cells, values_of(name, flags, pathlib.Path(folder)))
                write(name, cells, [text.replace(folder, "runs") for text in printed])


def values_of(name: str, flags: argparse.Namespace, folder: pathlib.Path) -> dict[str, Any]:
    """The parameters of a notebook's run; the last three start from the classifier of the first."""
    if name == "pretraining":
        return {"corpus": flags.corpus, "folder": folder / "own", "steps": flags.steps, "tokens": 2500}
    output = {"phone": "sentiment.tflite", "search": "vectors.npy", "explanation": "explained.html"}.get(name, name)
    values = {"OUTPUT": str(folder / output)}
    starts = "TEACHER" if name == "distillation" else "MODEL"
    values[starts] = str(folder / "sentiment") if name in ("phone", "distillation", "explanation") else flags.model
    return values


if __name__ == "__main__":
    main()
