"""The folder that records are written to: records its settings, remembers finished work, protects other files."""

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bert_tf.core.errors import InputError
from bert_tf.core.files import locked_folder, read_json, remove_leftovers, write_text
from bert_tf.data.pretraining.records_config import RecordsConfig
from bert_tf.text.tokenizers.base import Tokenizer

REPORT = "records.json"
# Names inside the folder while records are made, as version 0.1 wrote them, so that its stopped runs resume.
_WORK = ".work"
_PLAN = "plan.json"
CHUNKS = "pages"


class RecordsFolder:
    """An output folder and its plan: settings, text settings, vocabulary and input files."""

    def __init__(self, path: pathlib.Path, files: Sequence[pathlib.Path], tokenizer: Tokenizer, config: RecordsConfig):
        self.path, self.tokenizer = path, tokenizer
        self.work, self.chunks = path / _WORK, path / _WORK / CHUNKS
        settings = dataclasses.asdict(config)
        del settings["num_processes"]  # it does not change the records
        vocabulary = "\n".join(tokenizer.vocabulary).encode()
        self.plan = {
            "settings": settings,
            "text": tokenizer.config.to_json(),
            "vocabulary": {"size": tokenizer.vocab_size, "sha256": hashlib.sha256(vocabulary).hexdigest()},
            "inputs": [[str(file.absolute()), file.stat().st_size, file.stat().st_mtime_ns] for file in files],
        }

    def is_finished(self) -> bool:
        """Whether the folder holds exactly these records; raises `InputError` if it holds anything else."""
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path} is a file. Records are written to a folder; name another output.")
        plan = _read(self.work / _PLAN)
        names = {file.name for file in self.path.glob("[!.]*")}
        if not names:
            if plan and plan != self.plan:  # left by a run that failed before it wrote a shard
                with locked_folder(self.work):
                    shutil.rmtree(self.work, ignore_errors=True)
            return False
        if REPORT in names:
            report = self.report()
            self._refuse_others(report, "other records")
            check_shards(self.path, report)
            return True
        if not plan:
            raise InputError(f"{self.path} holds other files. Nothing was written. Choose a new or empty folder.")
        self._refuse_others(plan, "other unfinished records")
        return False

    def _refuse_others(self, found, what):
        if differing := [name for part in self.plan for name in _differences(part, found, self.plan)]:
            raise InputError(
                f"{self.path} holds {what}, which differ in {', '.join(differing)}. Nothing was written. "
                "Choose another output folder, or remove this one."
            )

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Holds the folder for this process, and makes it, or removes unfinished files of a killed run.

        Raises:
            InputError: another process makes these records.
        """
        with locked_folder(self.work):
            remove_leftovers(self.path)
            write_text(self.work / _PLAN, json.dumps(self.plan, ensure_ascii=False))
            yield

    def chunk(self, number: int) -> pathlib.Path:
        """The file of a tokenized chunk."""
        return self.chunks / f"{number // 1000:05d}-{number % 1000:03d}.npz"

    def has(self, name: str) -> bool:
        """Whether a value is kept under `name`."""
        return (self.work / f"{name}.json").exists()

    def remember(self, name: str, make: Callable[[], Any] = dict) -> Any:
        """The JSON value kept under `name`; `make` makes it where there is none."""
        file = self.work / f"{name}.json"
        if not file.exists():
            write_text(file, json.dumps(make()))
        return _read(file)

    def report(self) -> dict:
        """The report of finished records."""
        return _read(self.path / REPORT)

    def close(self, counts: dict, units: Sequence[dict]) -> dict:
        """Writes vocabulary and report, and removes the working files; returns the report.

        `counts` are those of the text, `units` those of each unit of work.
        """
        for unit in units:
            for name, number in unit.items():
                counts[name] = counts.get(name, 0) + number
        shards = {file.name: file.stat().st_size for file in sorted(self.path.glob("records-*.tfrecord*"))}
        report = {"counts": counts, "rates": _rates(counts, self.plan["settings"]), "shards": shards} | self.plan
        self.tokenizer.save(self.path / self.tokenizer.FILE_NAME)
        write_text(self.path / REPORT, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
        shutil.rmtree(self.work)
        return report


def check_shards(folder: pathlib.Path, report: dict) -> None:
    """Raises `InputError` if a shard of finished records is missing or has another size than was written."""
    for name, size in sorted(report["shards"].items()):
        path = folder / name
        advice = "Copy it again, or remove the folder and make its records again."
        if not path.exists():
            raise InputError(f"{folder} has lost {name}. {advice}")
        if (found := path.stat().st_size) != size:
            raise InputError(f"{path} has {found:,} bytes; {size:,} were written. {advice}")


def is_unfinished(folder: pathlib.Path) -> bool:
    """Whether records are being made in a folder, or were when the process was killed."""
    return (folder / _WORK / _PLAN).exists()


def _read(file):
    """The JSON value in a file, {} where there is none."""
    return read_json(file) if file.exists() else {}


def _differences(part, found, plan):
    """Names of the settings, or of the part of the plan, in which two plans differ."""
    if part == "settings":
        # A setting that is newer than the records had its default.
        old, new = dataclasses.asdict(RecordsConfig()) | found.get(part, {}), plan[part]
        return [f"{name} ({old[name]} there, {new[name]} now)" for name in new if old[name] != new[name]]
    shown = {"text": "the text settings", "inputs": "the input files"}.get(part, part)
    return [] if found.get(part) == plan[part] else [shown]


def _rates(counts, settings):
    """Shares that show at a glance whether the records are as intended; names as version 0.1 wrote them."""
    examples = counts.get("examples", 0)
    shares = {
        "filled": (counts.get("tokens", 0), examples * settings["max_length"]),
        "unknown_pieces": (counts["unknown_pieces"], counts["pieces"]),
        "random_or_swapped": (counts.get("random_or_swapped"), examples),
        "masked": (counts.get("masked_tokens"), counts.get("tokens", 0)),
    }
    return {name: round(part / whole, 6) for name, (part, whole) in shares.items() if part is not None and whole}
