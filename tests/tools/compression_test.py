"""The table of smaller models, from the reports of compress and export."""

import json

import pytest
from bench import compression


def report(score, mib, keras=0.9):
    return {
        "quantize": "int8",
        "mib": mib,
        "score": {"metric": "accuracy", "keras": keras, "tflite": score},
    }


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "small"
    steps = {
        "whole": report(0.895, 22.5),
        "pruned": report(0.89, 10.25, 0.895),
    }
    for name, content in steps.items():
        (folder / "steps" / name).mkdir(parents=True)
        (folder / "steps" / name / "model.json").write_text(json.dumps(content))
    (folder / "compress.json").write_text(
        json.dumps({"steps": [{"name": name, "file": f"steps/{name}/model.tflite"} for name in steps]})
    )
    return folder


def test_rows_of_steps_and_of_a_single_file(folder, tmp_path):
    single, page = tmp_path / "student.json", tmp_path / "page.md"
    single.write_text(json.dumps(report(0.905, 8.0, 0.91)))
    page.write_text("before\n<!-- compression -->\nold\n<!-- end of compression -->\nafter\n")
    times = {"whole": {64: 3.0, 32: 1.6}, "pruned": {64: 2.0, 32: 0.8}, tmp_path.name: {32: 0.4}}
    compression.write({"sst2": [folder, single]}, page, lambda paths: [times[path.parent.name] for path in paths])
    lines = page.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert [line for line in lines if line.startswith("| sst2")] == [
        "| sst2 | whole | 89.50 (accuracy) | +0.50 | 22.5 | 1.60 (32), 3.00 (64) | 1.0 |",
        "| sst2 | pruned | 89.00 (accuracy) | +1.00 | 10.2 | 0.80 (32), 2.00 (64) | 2.0 |",
        "| sst2 | student, int8 | 90.50 (accuracy) | -0.50 | 8.0 | 0.40 (32) | 4.0 |",
    ]
