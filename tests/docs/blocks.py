"""Blocks of code in the README and in the pages of docs/."""

import dataclasses
import pathlib
import re
import shlex

ROOT = pathlib.Path(__file__).parents[2]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "README.md", ROOT / "README.zh-CN.md", *(ROOT / "docs").rglob("*.md"))
    if not path.is_symlink()
)
OURS = "bert_tf"
_FENCE = re.compile(
    r"^(?P<indent> *)```+ *\{?\.?(?P<language>\w*)\}?(?P<info>[^\n]*)\n(?P<code>.*?)^(?P=indent)```+$", re.M | re.S
)
_INDENTED = re.compile(r"(?:^\n|\A)(?P<code>(?:^    .*\n)(?:^    .*\n|^\n(?=    ))*)", re.M)
_SHELL = ("bash", "sh")
_COMMANDS = ("bert-tf", "make", "pip", "curl", "docker", "python", "python3", "TF_CONFIG", "source")


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of Python or shell.

    Attributes:
        page: path from the top of the repository.
        line: of the block's first line of code, from 1.
        language: "python" or "shell".
        project: the other project whose code it is, or `OURS`.
    """

    page: str
    line: int
    language: str
    project: str
    code: str

    def commands(self) -> list[list[str]]:
        """The words of each command of a shell block."""
        lines = self.code.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks_of(page: str) -> list[Block]:
    """The Python and shell blocks of a page, in their order; blocks that include a file of examples/ are left out."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found, outside = [], text
    for fence in _FENCE.finditer(text):
        outside = outside.replace(fence[0], re.sub(r"[^\n]", "", fence[0]), 1)
        language = fence["language"] or ("shell" if fence["code"].startswith(_COMMANDS) else "")
        language = "shell" if language in _SHELL else language
        title = re.search(r'title="([^"]*)"', fence["info"])
        if language in ("python", "shell") and "--8<--" not in fence["code"]:
            line = text.count("\n", 0, fence.start("code")) + 1
            code = re.sub(rf"^{fence['indent']}", "", fence["code"], flags=re.M)
            found.append(Block(page, line, language, title[1] if title else OURS, code))
    for indented in _INDENTED.finditer(outside):
        code = re.sub(r"^    ", "", indented["code"], flags=re.M)
        if code.startswith(_COMMANDS):
            found.append(Block(page, outside.count("\n", 0, indented.start("code")) + 1, "shell", OURS, code))
    return sorted(found, key=lambda block: block.line)
