"""The table of smaller models in docs/MOBILE.md, from the reports of `bert-tf compress` and `bert-tf export`.

Their files are timed again, in turns: those of a report were measured whenever its step ended.
"""

import json
import pathlib
import statistics
import time
from collections.abc import Callable

import numpy as np

from bench import page
from bench.figures import table
from bench.options import ROOT
from bert_tf.core import features, files
from bert_tf.export.litert_model import LiteRTModel

PAGE = ROOT / "docs/MOBILE.md"
HEAD = ["data", "model", "score", "points lost", "MiB", "CPU ms on one thread (tokens)", "times as fast"]
ROUNDS = 40
Times = dict[int, float]  # milliseconds by tokens of a row


def write(
    reports: dict[str, list[pathlib.Path]],
    path: pathlib.Path = PAGE,
    measure: Callable[[list[pathlib.Path]], list[Times]] | None = None,
) -> None:
    """Writes the table of {data set: output folders of `compress`, or report files of `export`}.

    `measure` is in place of `measured`.
    """
    rows = []
    for name, paths in reports.items():
        found = [file for one in paths for file in read(one)]
        times = (measure or measured)([file for _, file in found])
        rows += rows_of(name, [title for title, _ in found], [report_of(file) for _, file in found], times)
    section = f"{page.machine()}\n\n{table(HEAD, rows)}"
    files.write_text(path, page.replace(path.read_text(encoding="utf-8"), "compression", section))


def read(path: pathlib.Path) -> list[tuple[str, pathlib.Path]]:
    """(title, .tflite) of each step in a folder of `compress`, or of the file of a report."""
    if not path.is_dir():
        report = json.loads(path.read_text(encoding="utf-8"))
        return [(f"{path.stem}, {report['quantize']}", path.with_suffix(".tflite"))]
    steps = json.loads((path / "compress.json").read_text(encoding="utf-8"))["steps"]
    return [(step["name"], path / step["file"]) for step in steps]


def report_of(file: pathlib.Path) -> dict:
    """The report beside a .tflite."""
    return json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))


def measured(paths: list[pathlib.Path]) -> list[Times]:
    """CPU time of a row of each length in each .tflite: medians over rounds in which all take turns."""
    models = [LiteRTModel(path, num_threads=1) for path in paths]
    seconds: list[dict[int, list[float]]] = [{length: [] for length in model.lengths} for model in models]
    for _ in range(ROUNDS):
        for model, of_model in zip(models, seconds, strict=True):
            for length, rounds in of_model.items():
                row = np.ones([1, length], "int32")
                inputs = dict.fromkeys(features.ENCODER_INPUTS, row)
                begin = time.process_time()
                model(inputs)
                rounds.append(time.process_time() - begin)
    return [{length: 1e3 * statistics.median(rounds) for length, rounds in one.items()} for one in seconds]


def rows_of(name: str, titles: list[str], reports: list[dict], times: list[Times]) -> list[list[str]]:
    """The rows of a data set; all are compared with Keras and the file of the first report."""
    rows = []
    for title, report, milliseconds in zip(titles, reports, times, strict=True):
        score = report["score"]
        lost = 100 * (reports[0]["score"]["keras"] - score["tflite"])
        shortest = min(times[0].keys() & milliseconds.keys())
        faster = times[0][shortest] / milliseconds[shortest]
        listed = ", ".join(f"{milliseconds[length]:.2f} ({length})" for length in sorted(milliseconds))
        values = [f"{100 * score['tflite']:.2f} ({score['metric']})", f"{lost:+.2f}", f"{report['mib']:.1f}"]
        rows.append([name, title, *values, listed, f"{faster:.1f}"])
    return rows
