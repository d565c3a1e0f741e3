"""The report of an audit, for people who decide whether to use a model."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from bert_tf.evaluation.evaluate import as_cell
from bert_tf.evaluation.slices import Part
from bert_tf.text.noise import NOISES

if TYPE_CHECKING:
    from bert_tf.evaluation.attack import Attempt
    from bert_tf.evaluation.audit import Audit

SWAPS = {
    "names": "first names replaced by others",
    "gender": "words of one gender replaced by those of the other",
    "negation": 'a "not" added',
}
_CLUSTERS = 8  # in the table
_ATTACKS = 10  # in the table


def markdown(found: "Audit", pictures: Mapping[str, str]) -> Iterator[str]:
    """The lines of README.md; `pictures` are file names by section."""
    low, high = found.interval
    metric = found.metric.replace("_", " ")
    yield f"# Audit of {found.model}\n"
    score = f"{metric} {found.score:.4f}, 95 % interval {low:.4f} to {high:.4f}"
    yield f"On {found.rows:,} examples of {found.data}: {score}."
    yield from _calibration(found, pictures)
    yield from _noise(found, pictures)
    yield from _swaps(found)
    yield from _attack(found)
    if found.groups:
        gap = max(part.score for part in found.groups) - min(part.score for part in found.groups)
        yield f"\n## Groups by {as_cell(found.group)}\n\nThe largest difference of two groups is {gap:.4f}.\n"
        yield from _parts("group", found.groups)
        yield _picture(pictures, "groups")
    if found.clusters:
        yield "\n## Worst clusters\n\nTexts are grouped by their words; these groups score lowest.\n"
        yield from _parts("words that tell it from the others", found.clusters[:_CLUSTERS])
        yield _picture(pictures, "clusters")
    yield from _leakage(found, pictures)
    if found.notes:
        yield "\n## Left out\n"
        yield from (f"- {note}" for note in found.notes)


def _calibration(found: "Audit", pictures: Mapping[str, str]) -> Iterator[str]:
    if not found.calibration:
        return
    one = found.calibration
    yield f"\n## Calibration\n\nExpected calibration error: {one.error:.2%}."
    if one.temperature is not None:
        sure = "too sure" if one.temperature > 1 else "not sure enough"
        yield (
            f"With logits divided by a temperature that is fitted on the other half of the examples it is "
            f"{one.scaled_error:.2%}. The temperature of all of them is {one.temperature:.2f}: the model is {sure}."
        )
    yield _picture(pictures, "calibration")


def _noise(found: "Audit", pictures: Mapping[str, str]) -> Iterator[str]:
    if not found.noise:
        return
    yield "\n## Noise\n\nThe dose is the share of the words, or characters, that the noise can change.\n"
    yield from ("| noise | dose | examples | answers changed | score | 95 % interval |", "|---|---|---|---|---|---|")
    for one in found.noise:
        bounds = f"{one.interval[0]:.4f} to {one.interval[1]:.4f}" if one.interval else ""
        score = "" if one.score is None else f"{one.score:.4f}"
        meaning = NOISES[one.name].meaning
        yield f"| {meaning} | {one.dose:.0%} | {one.rows:,} | {_share(one.changed)} | {score} | {bounds} |"
    yield _picture(pictures, "noise")


def _swaps(found: "Audit") -> Iterator[str]:
    if not found.swaps:
        return
    yield "\n## Swapped words\n\nNames and genders should not matter in most tasks; a negation should in many.\n"
    yield from ("| change | examples | answers changed | score |", "|---|---|---|---|")
    for one in found.swaps:
        score = "" if one.score is None else f"{one.score:.4f}"
        yield f"| {SWAPS[one.name]} | {one.rows:,} | {_share(one.changed)} | {score} |"


def _leakage(found: "Audit", pictures: Mapping[str, str]) -> Iterator[str]:
    if not found.leakage:
        return
    one = found.leakage
    yield (
        f"\n## Leakage\n\nCan it be told from the loss whether the model was trained on an example? The mean loss of "
        f"{one.members:,} examples that it was trained on is {one.member_loss:.4f}, of {one.others:,} others "
        f"{one.other_loss:.4f}. An area of 0.5 is guessing; the examples have to be drawn alike.\n"
    )
    yield from ("| attack | area under the ROC curve | 95 % interval | found at 1 % false |", "|---|---|---|---|")
    for attack in one.attacks:
        low, high = attack.interval
        yield f"| {attack.name} | {attack.auc:.4f} | {low:.4f} to {high:.4f} | {_share(attack.found)} |"
    yield _picture(pictures, "leakage")


def _attack(found: "Audit") -> Iterator[str]:
    if not found.attack:
        return
    one = found.attack
    consent = "No masked LM was asked whether they fit."
    if one.masked_lm:
        consent = f"Only those are taken that the masked LM {as_cell(one.masked_lm)} expects in the place."
    yield (
        "\n## Substituted words\n\nWords are replaced by neighbours among the model's embeddings until the answer "
        f"changes: at most {one.substituted:.0%} of an example's words, and {one.budget:,} queries. {consent} Read the "
        "examples: where a substitute changes the meaning, the new answer may be right.\n"
    )
    yield from ("| | examples | accuracy | 95 % interval |", "|---|---|---|---|")
    for name, (accuracy, low, high) in (("before", one.accuracy), ("under the attack", one.attacked)):
        yield f"| {name} | {one.rows:,} | {accuracy:.4f} | {low:.4f} to {high:.4f} |"
    yield f"\nQueries for an example: {one.queries:.1f}."
    if one.changed is not None:
        yield f"Substituted words where the answer changed: {one.changed:.1%}.\n"
        yield from ("| text | answer | answer after |", "|---|---|---|")
        for attempt in one.examples[:_ATTACKS]:
            yield f"| {_marked(attempt)} | {as_cell(attempt.before)} | {as_cell(attempt.after)} |"


def _marked(attempt: "Attempt") -> str:
    """The texts of an example for a cell, with each changed word struck out before its substitute."""
    shown = []
    for column, text in enumerate(attempt.texts):
        parts, end = [], 0
        for word in attempt.words:
            if word["text"] == column:
                parts.append(as_cell(text[end : word["start"]], None))
                parts.append(f"~~{as_cell(word['word'])}~~ **{as_cell(word['substitute'])}**")
                end = word["end"]
        shown.append(" ".join(filter(None, [*parts, as_cell(text[end:], None)])))
    return " / ".join(filter(None, shown))


def _parts(title: str, parts: Iterable[Part]) -> Iterator[str]:
    yield from (f"| {title} | examples | score | 95 % interval |", "|---|---|---|---|")
    for part in parts:
        low, high = part.interval
        yield f"| {as_cell(part.name)} | {part.rows:,} | {part.score:.4f} | {low:.4f} to {high:.4f} |"


def _picture(pictures: Mapping[str, str], section: str) -> str:
    return f"\n![{section}]({pictures[section]})"


def _share(changed: float | None) -> str:
    return "" if changed is None else f"{changed:.1%}"
