"""An audit: calibration, reactions to noise and swapped words, scores of groups and worst clusters, and leakage."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bert_tf.core import files, progress
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.readers.bad_rows import BadRows
from bert_tf.data.readers.examples import Examples, FileConfig, files_of, stream_rows
from bert_tf.evaluation import plots
from bert_tf.evaluation.audit_report import markdown
from bert_tf.evaluation.confidence_intervals import intervals
from bert_tf.evaluation.evaluate import check_examples, open_labelled
from bert_tf.evaluation.membership import Leakage, measure_leakage
from bert_tf.evaluation.results import EvaluationResult
from bert_tf.evaluation.robustness import DOSES, Reaction, measure_counterfactuals, measure_noise
from bert_tf.evaluation.slices import Part, score_groups, single_texts, worst_clusters
from bert_tf.evaluation.temperature import at_temperature, fit_temperature
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
) -> Audit:
    """Audits the model in `folder` on the examples of a file; writes README.md, audit.json and pictures to `output`.

    Args:
        path: a file, or "tfds:NAME:SPLIT".
        config: how the file is read; None: like the files that the model was trained on.
        group: a column by whose values scores are compared; "": none.
        doses: shares of the words that noise changes.
        seed: of the noise.
        members: a file of examples that the model was trained on, drawn as those of `path`, for leakage; "": none.

    Raises:
        ConfigError: the model's task has no scores of parts of its examples.
        InputError: the folder or the file cannot be read, the column is missing or has one value.
    """
    config = config or files_of(folder)
    model, examples = open_labelled(folder, path, config)
    trained_on = members and check_examples(model, members, config)
    groups = _groups(path, config, model, examples, group) if group else []
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
        show("clusters", 0, None)
        clusters = worst_clusters(metric, single_texts(examples.texts), seed=seed)
        show("leakage", 0, None)
        leakage = measure_leakage(model, trained_on, examples, seed) if trained_on else None
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
    )
    _write(pathlib.Path(output), found, plain)
    return found


def _groups(path: str, config: FileConfig, model: Any, examples: Examples, column: str) -> list[str]:
    """The value of a column for each of the examples."""
    values: dict[str, Any] = {}
    for row in stream_rows(path, config, model.SPEC, BadRows(path, True)):
        if column not in row.others:
            known = ", ".join(map(str, row.others)) or "none"
            raise InputError(f"{path} has no column {column!r} besides texts and targets. Columns: {known}.")
        values[row.place] = row.others[column]
    return [str(values[place]) for place in examples.places]


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
