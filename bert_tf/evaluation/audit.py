"""An audit: calibration, noise, swapped words, an attack, scores of groups and of worst clusters, and leakage."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from absl import logging

from bert_tf.core import files, progress
from bert_tf.core.errors import ConfigError
from bert_tf.data.readers.examples import Examples, FileConfig, files_of
from bert_tf.evaluation import plots
from bert_tf.evaluation.attack import Attack, Attempt, attack, can_attack, summarize
from bert_tf.evaluation.audit_config import AuditConfig
from bert_tf.evaluation.audit_report import markdown
from bert_tf.evaluation.confidence_intervals import intervals
from bert_tf.evaluation.evaluate import check_examples, open_labelled
from bert_tf.evaluation.membership import Leakage, measure_leakage
from bert_tf.evaluation.results import EvaluationResult
from bert_tf.evaluation.robustness import DOSES, Reaction, measure_counterfactuals, measure_noise
from bert_tf.evaluation.slices import Part, group_names, score_groups, single_texts, worst_clusters
from bert_tf.evaluation.substitutes import Substitutes
from bert_tf.evaluation.temperature import at_temperature, fit_temperature
from bert_tf.tasks import FillMask
from bert_tf.text.counterfactuals import COUNTERFACTUALS
from bert_tf.text.noise import NOISES

# N examples, C classes


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How sure the model's answers are, against how often they are right.

    Attributes:
        error: expected calibration error.
        temperature: the T by which logits would be divided; None for tasks without classes.
        scaled_error: the error with a T that was fitted on the other half of the examples.
    """

    error: float
    temperature: float | None = None
    scaled_error: float | None = None


@dataclasses.dataclass(frozen=True)
class Audit:
    """The measurements on N examples; parts that a model or its data do not have are empty.

    Attributes:
        model, data, task, metric: names.
        rows: N.
        score, interval: on the texts as they are, with a 95 % interval.
        noise, swaps: a `Reaction` for each change.
        groups: by the values of the column `group`.
        clusters: the worst first.
        attack: None where the task has no classes of texts, or no example was attacked.
        notes: lines that say what was left out, and why.
        leakage: what the losses tell of the examples that the model was trained on; None without these.
    """

    model: str
    data: str
    task: str
    metric: str
    rows: int
    score: float
    interval: tuple[float, float]
    calibration: Calibration | None
    noise: list[Reaction]
    swaps: list[Reaction]
    group: str
    groups: list[Part]
    clusters: list[Part]
    attack: Attack | None
    notes: list[str]
    leakage: Leakage | None = None


def audit(
    folder: str | os.PathLike,
    path: str,
    output: str | os.PathLike,
    config: FileConfig | None = None,
    group: str = "",
    doses: Sequence[float] = DOSES,
    seed: int = 0,
    members: str = "",
    settings: AuditConfig | None = None,
) -> Audit:
    """Audits the model in `folder` on the examples of a file; writes README.md, audit.json and pictures to `output`.

    Args:
        path: a file, or "tfds:NAME:SPLIT".
        config: how the file is read; None: like the files that the model was trained on.
        group: a column by whose values scores are compared; "": none.
        doses: shares of the words that noise changes.
        seed: of the noise, and of the examples that are attacked.
        members: a file of examples that the model was trained on, drawn as those of `path`, for leakage; "": none.
        settings: of the attack; None: the default ones.

    Raises:
        ConfigError: the model's task has no scores of parts of its examples.
        InputError: the folder or the file cannot be read, the column is missing or has one value.
    """
    config, settings = config or files_of(folder), settings or AuditConfig()
    model, examples = open_labelled(folder, path, config, [group] if group else [])
    trained_on = members and check_examples(model, members, config)
    groups = list(map(str, examples.kept.get(group, ())))
    if groups:
        group_names(groups)  # refuses a single one
    masked_lm = FillMask.from_pretrained(settings.masked_lm) if settings.masked_lm else None
    with progress.stages() as show:
        show("answers", 0, None)
        plain: EvaluationResult = model.SPEC.load("analyze")(model, examples)
        metric = plain.metric_functions.get(model.SCORE)
        if metric is None:
            raise ConfigError(f"Received: a model for {model.TASK}, whose {model.SCORE} has no parts to compare.")
        parts = score_groups(metric, groups) if groups else []
        noise, total = [], len(doses) * len(NOISES)
        for reaction in measure_noise(model, examples, plain, doses, seed):
            noise.append(reaction)
            show("noise", len(noise), total)
        show("swaps", 0, None)
        swaps = list(measure_counterfactuals(model, examples, plain, seed))
        attacked, notes = _attack(model, examples, plain, settings, masked_lm, seed)
        show("clusters", 0, None)
        clusters = worst_clusters(metric, single_texts(examples.texts), seed=seed)
        leakage = None
        if trained_on:
            show("leakage", 0, None)
            leakage = measure_leakage(model, trained_on, examples, seed)
    found = Audit(
        model=str(folder),
        data=str(path),
        task=model.TASK,
        metric=model.SCORE,
        rows=len(examples),
        score=plain.scores[model.SCORE],
        interval=intervals({model.SCORE: metric}, len(examples))[model.SCORE],
        calibration=_calibration(plain),
        noise=noise,
        swaps=swaps,
        group=group,
        groups=parts,
        clusters=clusters,
        leakage=leakage,
        attack=attacked,
        notes=[*notes, *_left_out(model, noise, swaps)],
    )
    _write(pathlib.Path(output), found, plain)
    return found


def _attack(
    model: Any, examples: Examples, plain: EvaluationResult, settings: AuditConfig, masked_lm: Any, seed: int
) -> tuple[Attack | None, list[str]]:
    """The attack, of the examples until an interruption, which is noted; None for a task without classes of texts."""
    if not (settings.attacked_texts and can_attack(model, examples, plain)):
        return None, []
    substitutes = Substitutes(model, masked_lm)
    attempts: list[Attempt] = []
    total = min(settings.attacked_texts, len(examples))
    notes: list[str] = []
    with progress.stages() as show:
        show("attack", 0, total)
        try:
            for attempt in attack(model, examples, plain, settings, substitutes, seed):
                attempts.append(attempt)
                show("attack", len(attempts), total)
        except KeyboardInterrupt:
            notes.append(f"The attack was interrupted after {len(attempts):,} of {total:,} examples.")
            logging.warning("%s The report is written without the others.", notes[0])
    return summarize(attempts, settings) if attempts else None, notes


def _left_out(model: Any, noise: Sequence[Reaction], swaps: Sequence[Reaction]) -> Iterator[str]:
    """Notes on kinds of noise and of swapped words that reach too few of the examples."""
    missing = NOISES.keys() - {one.name for one in noise}
    if missing:
        yield f"Noise that reaches too few examples, and is left out: {', '.join(sorted(missing)).replace('_', ' ')}."
    missing = COUNTERFACTUALS.keys() - {one.name for one in swaps}
    if missing and not model.PER_TOKEN:
        yield (
            f"Swapped words that too few examples have, and are left out: {', '.join(sorted(missing))}. The lists of "
            "words are English and Chinese."
        )


def _calibration(plain: EvaluationResult) -> Calibration | None:
    if not plain.confidence:
        return None
    error = plots.calibration_error(*plain.confidence)
    if not plain.probabilities or len(plain.probabilities[1]) < 2:
        return Calibration(error)
    probabilities, true = plain.probabilities
    scaled = np.zeros_like(probabilities)  # [N, C]
    for half in (0, 1):  # each half by the temperature of the other one
        scaled[half::2] = at_temperature(
            probabilities[half::2], fit_temperature(probabilities[1 - half :: 2], true[1 - half :: 2])
        )
    scaled_error = plots.calibration_error(scaled.max(1), scaled.argmax(1) == true)
    return Calibration(error, fit_temperature(probabilities, true), scaled_error)


def _write(folder: pathlib.Path, found: Audit, plain: EvaluationResult) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pictures = dict(_pictures(folder, found, plain))
    files.write_text(folder / "audit.json", json.dumps(dataclasses.asdict(found), indent=2, ensure_ascii=False) + "\n")
    files.write_text(folder / "README.md", "\n".join(markdown(found, pictures)) + "\n")


def _pictures(folder: pathlib.Path, found: Audit, plain: EvaluationResult) -> Iterator[tuple[str, str]]:
    """Draws the pictures; yields (section, file name)."""
    if plain.confidence:
        plots.draw_calibration(*plain.confidence, folder / "calibration.png")
        yield "calibration", "calibration.png"
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for one in found.noise:
        doses, scores = curves.setdefault(one.name, ([], []))
        doses.append(one.dose)
        scores.append(one.score if one.score is not None else np.nan)
    if curves:
        title = f"{found.metric.replace('_', ' ').capitalize()} with noise, {found.rows:,} examples"
        plots.draw_doses(curves, found.score, title, folder / "noise.png")
        yield "noise", "noise.png"
    if found.leakage:
        plots.draw_roc(
            {f"{attack.name} (area {attack.auc:.3f})": attack.curve for attack in found.leakage.attacks},
            folder / "leakage.png",
        )
        yield "leakage", "leakage.png"
    for section, parts in (("groups", found.groups), ("clusters", found.clusters)):
        if parts:
            names = [f"{part.name} ({part.rows:,})" for part in parts]
            scores, bounds = [part.score for part in parts], [part.interval for part in parts]
            plots.draw_parts(names, scores, bounds, folder / f"{section}.png")
            yield section, f"{section}.png"
