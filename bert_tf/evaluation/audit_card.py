"""The section of a model's card that an audit writes."""

import os
import pathlib
from collections.abc import Iterator

from bert_tf.core import files
from bert_tf.core.errors import ConfigError
from bert_tf.evaluation.audit import Audit
from bert_tf.evaluation.audit_report import SWAPS
from bert_tf.evaluation.evaluate import as_cell
from bert_tf.text.noise import NOISES

_BEGIN, _END = "<!-- audit -->\n", "<!-- end of audit -->\n"


def find_card(folder: str | os.PathLike) -> pathlib.Path:
    """The card of the model in a folder, README.md; `ConfigError` for a name that is no local folder."""
    if not pathlib.Path(folder).is_dir():
        raise ConfigError(f"Received: --card for {folder}, which is no folder here. Copy the model to one first.")
    return pathlib.Path(folder) / "README.md"


def write_section(card: pathlib.Path, found: Audit) -> None:
    """Writes the section into a card: in the place of that of an earlier audit, else at the end."""
    text = card.read_text(encoding="utf-8") if card.exists() else f"# {card.parent.name}\n"
    section = _BEGIN + "\n".join(_section(found)) + "\n" + _END
    before, mark, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2] if mark else ""
    files.write_text(card, f"{before.rstrip()}\n\n{section}{after}")


def _section(found: Audit) -> Iterator[str]:
    low, high = found.interval
    metric = found.metric.replace("_", " ")
    yield f"## Audit\n\nOn {found.rows:,} examples of {as_cell(found.data)}; scores are {metric}.\n"
    yield from ("| | score |", "|---|---|")
    yield f"| texts as they are | {found.score:.4f} ({low:.4f} to {high:.4f}) |"
    most = max((one.dose for one in found.noise), default=0)
    for one in found.noise:
        if one.dose == most and one.score is not None:
            yield f"| noise, {NOISES[one.name].meaning}, dose {one.dose:.0%} | {one.score:.4f} |"
    if found.attack:
        yield f"| under {found.attack.budget:,} queries for substituted words | {found.attack.attacked[0]:.4f} |"
    for part in found.groups:
        yield f"| {as_cell(found.group)}: {as_cell(part.name)} | {part.score:.4f} |"
    for part in found.clusters[:1]:
        yield f"| the worst of the clusters of texts: {as_cell(part.name)} | {part.score:.4f} |"
    yield ""
    if found.calibration:
        yield f"- Expected calibration error: {found.calibration.error:.2%}."
    for one in found.swaps:
        if one.changed is not None:
            yield f"- {SWAPS[one.name].capitalize()}: {one.changed:.1%} of {one.rows:,} answers change."
    if found.leakage:
        areas = ", ".join(f"{attack.auc:.3f} ({attack.name})" for attack in found.leakage.attacks)
        yield f"- Membership inference, area under the ROC curve: {areas}."
    for note in found.notes:
        yield f"- {note}"
