"""Only text/tokenizers/ knows how tokens are spelled: no other file has their prefixes or the special tokens."""

import ast
import pathlib
import re

import pytest

PACKAGE = pathlib.Path(__file__).parents[3] / "bert_tf"
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if PACKAGE / "text/tokenizers" not in path.parents]
# A prefix by itself, before a letter or before a formatted value; "## Heading" of Markdown has a blank.
PREFIX = re.compile(r"(?:^|[^#])##(?![#\s])")
SPECIAL = re.compile(r"^\[(PAD|UNK|CLS|SEP|MASK|unused\d*\]?)")


def strings(path):
    """The string constants of a file with their lines, without docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def test_no_spelling_of_tokens():
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {text!r}"
        for path in FILES
        for line, text in strings(path)
        if PREFIX.search(text) or SPECIAL.match(text)
    ]
    assert len(FILES) > 100
    assert not found


@pytest.mark.parametrize(
    ("text", "known"), [("##", True), ("a ##b", True), ("\n## Classes\n", False), ("### x", False), ("####", False)]
)
def test_the_pattern_tells_prefixes_from_headings(text, known):
    assert bool(PREFIX.search(text)) == known
