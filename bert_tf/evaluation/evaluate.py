"""A model judged on a file: scores with how far they may be off, and a report that shows where it goes wrong."""

import json
import pathlib

from bert_tf.core import files
from bert_tf.data.readers.examples import files_of, read_examples
from bert_tf.evaluation.analysis import judge
from bert_tf.evaluation.confidence_intervals import RESAMPLES, intervals
from bert_tf.evaluation.plots import calibration_error, draw_calibration, draw_confusion, draw_pairs
from bert_tf.evaluation.results import RESULTS
from bert_tf.tasks import load
from bert_tf.tasks.base.targets import fit_targets

_MISTAKES = 20  # shown
_LONGEST = 300  # characters of a text shown


def evaluate(folder, path, config=None, output=None):
    """Scores the model in `folder` on the rows of a file.

    Args:
        path: a file, or "tfds:NAME:SPLIT".
        config: `FileConfig`; None: as the model's folder says that files of its data set are read.
        output: the folder that gets README.md, metrics.json and pictures; None: none.

    Returns:
        {"scores": {metric: number}, "intervals": {metric: (low, high)}, "rows", ...}, as metrics.json has them.
    """
    config = config or files_of(folder)
    model = load(folder)
    examples = fit_targets(read_examples(path, config, model), model, config.separator).checked(model)
    examples.bad.tell()
    judgement = judge(model, examples)
    results = {
        "model": str(folder),
        "data": str(path),
        "task": model.TASK,
        "metric": model.SCORE,
        "rows": len(examples),
        "skipped_rows": examples.bad.count,
        "scores": judgement.scores,
        "intervals": intervals(judgement.measures, len(examples)),
        "classes": judgement.classes,
    }
    if judgement.sureness:
        results["calibration_error"] = calibration_error(*judgement.sureness)
    if output:
        write_report(pathlib.Path(output), results, judgement)
    return results


def write_report(folder, results, judgement):
    """Writes README.md, metrics.json and the pictures of a judgement to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {}
    if judgement.confusion:
        draw_confusion(*judgement.confusion, folder / "confusion.png")
        pictures["Which classes are taken for which"] = "confusion.png"
    if judgement.sureness:
        draw_calibration(*judgement.sureness, folder / "calibration.png")
        pictures["What a probability is worth"] = "calibration.png"
    if judgement.pairs:
        draw_pairs(*judgement.pairs, folder / "scores.png")
        pictures["Scores found by the right ones"] = "scores.png"
    files.write_text(folder / RESULTS, json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    files.write_text(folder / "README.md", "\n".join(_page(results, judgement, pictures)) + "\n")


def _page(results, judgement, pictures):
    skipped = f", {results['skipped_rows']:,} bad ones left out" if results["skipped_rows"] else ""
    yield f"# {results['model']} on {results['data']}"
    yield f"\n{results['task'].replace('_', ' ')}, {results['rows']:,} rows{skipped}\n"
    yield from ("| metric | | 95 % of resamples |", "|---|---|---|")
    for name, value in results["scores"].items():
        low, high = results["intervals"].get(name, (None, None))
        between = f"{low:.4f} to {high:.4f}" if low is not None else ""
        yield f"| {name.replace('_', ' ')} | {value:.4f} | {between} |"
    yield f"\nResamples: {RESAMPLES:,} of the rows, with replacement."
    if judgement.classes:
        yield from ("\n## Classes\n", "| class | precision | recall | F1 | in the data |", "|---|---|---|---|---|")
        for name, row in judgement.classes.items():
            shares = " | ".join(f"{row[column]:.3f}" for column in ("precision", "recall", "f1"))
            yield f"| {as_cell(name)} | {shares} | {row['rows']:,} |"
    for title, name in pictures.items():
        yield f"\n## {title}\n\n![{title}]({name})"
    if judgement.mistakes:
        yield from ("\n## The worst mistakes\n", "| row | text | right | found |", "|---|---|---|---|")
        for mistake in judgement.mistakes[:_MISTAKES]:
            cells = (mistake.place, mistake.text, mistake.right, mistake.found)
            yield f"| {' | '.join(map(as_cell, cells))} |"


def as_cell(text):
    """Text that cannot break a table, cut where it is long."""
    text = " ".join(str(text).split())
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    for character in "\\|<>*_`[]":
        text = text.replace(character, f"\\{character}")
    return text
