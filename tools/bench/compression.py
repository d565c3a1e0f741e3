"""The table of smaller models in docs/MOBILE.md, from the reports of `bert-tf compress` and `bert-tf export`."""

import json
import pathlib

from bench import page
from bench.figures import table
from bench.options import ROOT
from bert_tf.core import files

PAGE = ROOT / "docs/MOBILE.md"
HEAD = ["data", "model", "score", "points lost", "MiB", "ms on one thread (tokens)", "times as fast"]


def write(reports: dict[str, list[pathlib.Path]], path: pathlib.Path = PAGE) -> None:
    """Writes the table of {data set: output folders of `compress`, or report files of `export`}."""
    rows = []
    for name, paths in reports.items():
        rows += rows_of(name, [found for one in paths for found in read(one)])
    section = f"{page.machine()}\n\n{table(HEAD, rows)}"
    files.write_text(path, page.replace(path.read_text(encoding="utf-8"), "compression", section))


def read(path: pathlib.Path) -> list[tuple[str, dict]]:
    """(name, report of a .tflite) of each step in a folder of `compress`, or of the file of a report."""
    if not path.is_dir():
        report = json.loads(path.read_text(encoding="utf-8"))
        return [(f"{path.stem}, {report['quantize']}", report)]
    steps = json.loads((path / "compress.json").read_text(encoding="utf-8"))["steps"]
    names = [step["name"] for step in steps]
    return [(name, json.loads((path / "steps" / name / "step.json").read_text(encoding="utf-8"))) for name in names]


def rows_of(name: str, reports: list[tuple[str, dict]]) -> list[list[str]]:
    """The rows of a data set; all are compared with Keras and the file of the first report."""
    rows, (_, first) = [], reports[0]
    for title, report in reports:
        score, times = report["score"], report["latency_ms"]
        lost = 100 * (first["score"]["keras"] - score["tflite"])
        milliseconds = [f"{times[length]['1']:.2f} ({length})" for length in sorted(times, key=int)]
        shortest = min(first["latency_ms"].keys() & times.keys(), key=int)
        faster = first["latency_ms"][shortest]["1"] / times[shortest]["1"]
        values = [f"{100 * score['tflite']:.2f} ({score['metric']})", f"{lost:+.2f}", f"{report['mib']:.1f}"]
        rows.append([name, title, *values, ", ".join(milliseconds), f"{faster:.1f}"])
    return rows
