"""Evaluates a model on a file: metrics with confidence intervals, and a report with plots and the worst errors."""

import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from absl import logging

from bert_tf.core import files
from bert_tf.core.errors import ConfigError
from bert_tf.data.readers.examples import Examples, FileConfig, files_of, read_examples
from bert_tf.evaluation.baseline import find_baseline, find_weakness
from bert_tf.evaluation.confidence_intervals import RESAMPLES, intervals
from bert_tf.evaluation.plots import calibration_error, draw_calibration, draw_confusion, draw_pairs
from bert_tf.evaluation.results import RESULTS, EvaluationResult
from bert_tf.tasks import TASKS, load
from bert_tf.tasks.base.targets import fit_targets

_MAX_ERRORS = 20  # in the report
_MAX_CELL = 300  # characters of a text in a table


def evaluate(
    folder: str | os.PathLike,
    path: str,
    config: FileConfig | None = None,
    output: str | os.PathLike | None = None,
) -> dict[str, Any]:
    """Scores the model in `folder` on the examples of a file.

    Args:
        path: a file, or "tfds:NAME:SPLIT".
        config: how the file is read; None: like the files that the model was trained on.
        output: folder for README.md, metrics.json and plots; None writes none.

    Returns:
        The content of metrics.json: {"scores": {metric: number}, "intervals": {metric: (low, high)}, "rows",
        "baseline": the best that one answer to all examples gets (`find_baseline`), ...}. A model that does no better
        is named in a warning.

    Raises:
        ConfigError: the model's task has no evaluation.
        InputError: the folder or the file cannot be read, or a bad row may not be skipped.
    """
    model, examples = open_labelled(folder, path, config or files_of(folder))
    result: EvaluationResult = model.SPEC.load("analyze")(model, examples)
    report = {
        "model": str(folder),
        "data": str(path),
        "task": model.TASK,
        "metric": model.SCORE,
        "rows": len(examples),
        "skipped_rows": examples.bad.count,
        "scores": result.scores,
        "intervals": intervals(result.metric_functions, len(examples)),
        "classes": result.classes,
        "baseline": find_baseline(model, examples, result),
    }
    if result.notes:
        report["notes"] = list(result.notes)
    if weakness := find_weakness(report["baseline"], result):
        logging.warning("%s", weakness)
    if result.confidence:
        report["calibration_error"] = calibration_error(*result.confidence)
    if output:
        write_report(pathlib.Path(output), report, result)
    return report


def open_labelled(
    folder: str | os.PathLike, path: str, config: FileConfig, kept: Sequence[str] = ()
) -> tuple[Any, Examples]:
    """The model in `folder`, and the checked examples of a file, with the columns of `kept`; raises as `evaluate`."""
    model = load(folder)
    if not model.SPEC.analyze:
        able = [name for name, other in TASKS.items() if other.analyze]
        raise ConfigError(f"Received: a model for {model.TASK}, which has no metrics. Evaluated are {', '.join(able)}.")
    return model, check_examples(model, path, config, kept)


def check_examples(model: Any, path: str, config: FileConfig, kept: Sequence[str] = ()) -> Examples:
    """The examples of a file, with the columns of `kept`, checked against a model; raises as `evaluate`."""
    rows = read_examples(path, config, model.SPEC, kept=kept)
    examples = fit_targets(rows, model, config.separator).checked(model)
    examples.bad.tell()
    return examples


def write_report(folder: pathlib.Path, report: dict[str, Any], result: EvaluationResult) -> None:
    """Writes README.md, metrics.json and the plots that the result has data for."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = {}
    if result.confusion:
        draw_confusion(*result.confusion, folder / "confusion.png")
        plots["Confusion matrix"] = "confusion.png"
    if result.confidence:
        draw_calibration(*result.confidence, folder / "calibration.png")
        plots["Calibration"] = "calibration.png"
    if result.pairs:
        draw_pairs(*result.pairs, folder / "scores.png")
        plots["Predicted against true scores"] = "scores.png"
    files.write_text(folder / RESULTS, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    files.write_text(folder / "README.md", "\n".join(_markdown(report, result, plots)) + "\n")


def _markdown(report: dict[str, Any], result: EvaluationResult, plots: dict[str, str]) -> Iterator[str]:
    """The lines of README.md; a paragraph opens with a line break."""
    skipped = ""
    if report["skipped_rows"]:
        skipped = f", {report['skipped_rows']:,} bad ones skipped"
    yield f"# {report['model']} on {report['data']}"
    yield f"\nTask: {report['task'].replace('_', ' ')}. Examples: {report['rows']:,}{skipped}.\n"
    yield from ("| metric | value | 95 % interval |", "|---|---|---|")
    for name, value in report["scores"].items():
        interval = ""  # not every score has one
        if name in report["intervals"]:
            low, high = report["intervals"][name]
            interval = f"{low:.4f} to {high:.4f}"
        yield f"| {name.replace('_', ' ')} | {value:.4f} | {interval} |"
    yield f"| {baseline_title(report['baseline'])} | {report['baseline']['score']:.4f} | |"
    for note in result.notes:
        yield f"\n{note}"
    if report["intervals"]:
        yield f"\nIntervals: percentile bootstrap, {RESAMPLES:,} resamples of the examples."
    if result.classes:
        yield from ("\n## Classes\n", "| class | precision | recall | F1 | count |", "|---|---|---|---|---|")
        for name, row in result.classes.items():
            shares = f"{row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f}"
            yield f"| {as_cell(name)} | {shares} | {row['rows']:,} |"
    for title, name in plots.items():
        yield f"\n## {title}\n\n![{title}]({name})"
    for title, shown in {"Worst errors": result.errors, "Best answers": result.best}.items():
        if shown:
            yield from (f"\n## {title}\n", "| example | text | target | prediction |", "|---|---|---|---|")
        for example in shown[:_MAX_ERRORS]:
            cells = (example.place, example.text, example.target, example.prediction)
            yield f"| {' | '.join(map(as_cell, cells))} |"


def baseline_title(baseline: dict[str, Any]) -> str:
    """The name of the baseline in a table of metrics."""
    given = "one answer to all" if baseline["answer"] is None else f"always {as_cell(baseline['answer'])}"
    return f"{baseline['metric'].replace('_', ' ')}, {given}"


def as_cell(text: object, most: int | None = _MAX_CELL) -> str:
    """Text for a cell of a Markdown table: on one line, escaped, and cut where it has more than `most` characters."""
    text = " ".join(str(text).split())
    if most is not None and len(text) > most:
        text = f"{text[:most]}…"
    for character in "\\|<>*_`[]~":  # the backslash first, or it would escape those that the others add
        text = text.replace(character, f"\\{character}")
    return text
