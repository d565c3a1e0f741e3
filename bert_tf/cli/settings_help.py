"""The lists of settings that `--help-settings` prints and the docs show, made from the config dataclasses."""

import textwrap
import typing
from collections.abc import Sequence

from bert_tf.core.settings import Row, rows_of


class Section(typing.NamedTuple):
    """A part of a list of settings: its heading and its rows."""

    title: str
    rows: list[Row]


def pretrain() -> list[Section]:
    """The settings of `bert-tf pretrain`."""
    from bert_tf.training.config import PretrainConfig

    return _by_table(rows_of(PretrainConfig))


def quickstart() -> list[Section]:
    """The settings of `bert-tf quickstart`."""
    from bert_tf.quickstart.settings import QuickstartConfig

    return _by_table(rows_of(QuickstartConfig))


def finetune() -> list[Section]:
    """The settings of `bert-tf finetune`; those of `model` that only one task has are in a section of their own."""
    from bert_tf.tasks import TASKS
    from bert_tf.training.recipes.finetune_config import NOT_TRAINING, FinetuneConfig

    rows = rows_of(FinetuneConfig)
    sections = _by_table([row for row in rows if row.key.removeprefix("training.") not in NOT_TRAINING])
    for name, spec in TASKS.items():
        if spec.targets:
            sections.append(Section(f'[model], for task = "{name}"', rows_of(spec.settings, "model.")))
    return sections


def audit() -> list[Section]:
    """The settings of `bert-tf audit`."""
    from bert_tf.data.readers.examples import FileConfig
    from bert_tf.evaluation.audit_config import AuditConfig

    return [Section("The attack", rows_of(AuditConfig, "audit.")), Section("The file", rows_of(FileConfig))]


def _by_table(rows: Sequence[Row]) -> list[Section]:
    """Rows in one section for each table of the TOML file."""
    sections = {"": Section("The config", [])}
    for row in rows:
        table = row.key.rpartition(".")[0]
        sections.setdefault(table, Section(f"[{table}]", [])).rows.append(row)
    return list(sections.values())


def as_text(sections: Sequence[Section], columns: int = 118) -> str:
    """A list for a terminal: "key=default", then the allowed values and the meaning, in lines of `columns`."""
    lines = ["Settings, as key=value on the command line or in the TOML file, with their defaults:"]
    for section in sections:
        lines += ["", section.title]
        width = max(len(f"{row.key}={row.default}") for row in section.rows)
        for row in section.rows:
            left = f"{row.key}={row.default}"
            first, *others = textwrap.wrap(f"{row.meaning} ({row.values})", columns - width - 4)
            lines.append(f"  {left:<{width}}  {first}")
            lines += [f"  {'':<{width}}  {line}" for line in others]
    return "\n".join(lines)


def as_markdown(sections: Sequence[Section]) -> str:
    """The same as Markdown tables, for the docs."""
    lines = []
    for section in sections:
        lines += [f"**{section.title}**", "", "| setting | default | values | meaning |", "|---|---|---|---|"]
        for row in section.rows:
            lines.append(f"| `{row.key}` | `{row.default}` | {row.values} | {row.meaning} |")
        lines.append("")
    return "\n".join(lines)
