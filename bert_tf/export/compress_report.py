"""The report of a compression: a table, and a picture of the score against size and time."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence

from bert_tf.core import files
from bert_tf.evaluation.plots import draw_tradeoff
from bert_tf.export.compress_target import Measured

_HEAD = "| step | what it does | MB | ms for a row | score | points lost |\n|---|---|---|---|---|---|\n"


def write_report(
    folder: pathlib.Path, title: str, measured: Sequence[Measured], chosen: Measured, left_out: Mapping[str, str]
) -> None:
    """Writes compress.json, compress.png and README.md.

    Args:
        title: what the model does.
        measured: in the order of the steps.
        chosen: one of them.
        left_out: {name: why} of other steps.
    """
    found = {"steps": [dataclasses.asdict(one) for one in measured], "chosen": chosen.name, "left_out": dict(left_out)}
    files.write_text(folder / "compress.json", json.dumps(found, indent=2) + "\n")
    draw_tradeoff(
        {"Size, MB": [one.size / 1e6 for one in measured], "Time of a row, ms": [one.latency for one in measured]},
        [one.score for one in measured],
        [one.name for one in measured],
        chosen.name,
        folder / "compress.png",
    )
    lines = [f"# Compression\n\n{title}\n\n{_HEAD}{''.join(map(_row, measured))}"]
    lines.append(
        f"Chosen: **{chosen.name}**, in `model/` and `model.tflite`. Each step begins with the model of the one "
        "before; the score is that of its `.tflite` file on the held-out examples, the time that of one thread.\n"
    )
    lines += [f"Left out: {name}. {why}\n" for name, why in left_out.items()]
    lines.append("![Score against size and time](compress.png)\n")
    files.write_text(folder / "README.md", "\n".join(lines))


def _row(one: Measured) -> str:
    numbers = f"{one.size / 1e6:.2f} | {one.latency:.2f} | {one.score:.4f} | {one.points:+.2f}"
    return f"| {one.name} | {one.meaning} | {numbers} |\n"
