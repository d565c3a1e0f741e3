"""Writes the tables of settings into the docs, from the config dataclasses: python tools/settings_tables.py"""

import pathlib

from bert_tf.cli import settings_help

DOCS = pathlib.Path(__file__).parent.parent / "docs"
PLACES = {"YOUR_DATA.md": "finetune", "TRAINING.md": "pretrain"}
END = "<!-- end -->"


def with_table(text: str, verb: str) -> str:
    """The text of a page with the table of a verb's settings between its two marks."""
    mark = f"<!-- settings of {verb} -->\n"
    before, _, rest = text.partition(mark)
    _, _, after = rest.partition(END)
    return f"{before}{mark}\n{settings_help.as_markdown(getattr(settings_help, verb)())}\n{END}{after}"


if __name__ == "__main__":
    for name, verb in PLACES.items():
        page = DOCS / name
        page.write_text(with_table(page.read_text(encoding="utf-8"), verb), encoding="utf-8")
