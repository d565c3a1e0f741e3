"""Random access to TFRecord files of pretraining examples, of this package or another project."""

import gzip
import json
import mmap
import pathlib
import shutil
import struct
import tempfile
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from bert_tf.core.config import TextConfig, from_dict
from bert_tf.core.errors import InputError
from bert_tf.core.features import INPUT_IDS, INPUT_MASK
from bert_tf.data.pretraining.records_folder import REPORT
from bert_tf.data.pretraining.tf_examples import FEATURES, SCHEMAS, features_of, parse
from bert_tf.text.corpus import find_files
from bert_tf.text.tokenizers.base import VOCABULARY_FILES, Tokenizer

_STRIDE = 16  # the position of every 16th record is kept; the others are found by following the lengths
_FRAME = 16  # bytes around a record: its length (8), and checksums of the length (4) and of the data (4)


class Records:
    """Examples in TFRecord files, numbered in the order of the files.

    Args:
        path: a folder that `write_records` filled, or files, folders and globs of TFRecord files whose examples have
            Google's or Model Garden's feature names. GZIP files are decompressed to a temporary folder.
        skip: how many damaged examples `load` replaces before it raises `InputError`.

    Attributes:
        damaged: numbers of the damaged examples found so far.
        names: `{our name: name in the records}` of the features found.
        shapes: `{our name: (number of values, dtype)}`.
        settings: the settings they were written with, {} for records of another program.
    """

    def __init__(self, path: str | pathlib.Path | Sequence[str], skip: int = 0):
        self.skip = skip
        self.damaged: set[int] = set()
        self._measured: tuple[np.ndarray, np.ndarray] | None = None
        self.folder = pathlib.Path(path) if isinstance(path, str | pathlib.Path) else None
        report = self.folder and self.folder / REPORT
        self.report = json.loads(report.read_text(encoding="utf-8")) if report and report.exists() else {}
        names = [self.folder / name for name in self.report["shards"]] if self.report else path
        self.files = [file for file in find_files(names) if file.name not in (REPORT, *VOCABULARY_FILES)]
        self._unpacked: tempfile.TemporaryDirectory | None = None
        self._maps: list = []  # the content of each file
        self._starts = [0]  # the number of the first example of each file
        self._places: list[np.ndarray] = []  # positions of every `_STRIDE`th record in each file
        for file in self.files:
            self._open(file)
        if not len(self):
            raise InputError(f"No examples in {self.files[0]}{' and others' if len(self.files) > 1 else ''}.")
        self.settings = self.report.get("settings", {})
        self.names, self.shapes = _describe(self.read([0])[0], self.files[0])

    def __len__(self):
        return self._starts[-1]

    def read(self, numbers: Sequence[int]) -> np.ndarray:
        """The serialized examples of these numbers, `bytes` in an object array [N]."""
        files = np.searchsorted(self._starts, numbers, side="right") - 1
        found = [self._read(file, number - self._starts[file]) for file, number in zip(files, numbers, strict=True)]
        return np.array(found, object)

    def load(self, numbers: Sequence[int]) -> dict[str, np.ndarray]:
        """`{our name: array [N, W]}` of these examples.

        A damaged one is replaced by the next intact one, counted and logged. More than `skip` of them raise
        `InputError`.
        """
        try:
            return {name: value.numpy() for name, value in self.parse(self.read(numbers)).items()}
        except tf.errors.InvalidArgumentError:
            return {name: value.numpy() for name, value in self.parse(self.read(self._intact(numbers))).items()}

    def _intact(self, numbers):
        """The numbers, damaged ones replaced by the next intact one."""
        numbers = np.array(numbers)
        for place in range(len(numbers)):
            while self._is_damaged(numbers[place]):
                numbers[place] = (numbers[place] + 1) % len(self)
        return numbers

    def _is_damaged(self, number):
        if number in self.damaged:
            return True
        try:
            self.parse(self.read([number]))
            return False
        except tf.errors.InvalidArgumentError:
            self.damaged.add(int(number))
        where = f"{self.file_of(number)}: example {number:,} of the records cannot be parsed"
        if len(self.damaged) > self.skip:
            raise InputError(
                f"{where}. {len(self.damaged)} damaged examples exceed skip_records={self.skip}. Rebuild the records, "
                "or raise skip_records."
            )
        logging.warning("%s; it is skipped (%d damaged so far).", where, len(self.damaged))
        return True

    def file_of(self, number: int) -> pathlib.Path:
        """The file of an example."""
        return self.files[int(np.searchsorted(self._starts, number, side="right")) - 1]

    def parse(self, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        """`{our name: tensor [N, W]}` of serialized examples, in the graph."""
        return parse(serialized, self.names, self.shapes)

    def tokenizer(self) -> Tokenizer:
        """The tokenizer that the records were made with; `InputError` if another program wrote them."""
        if not self.folder or not self.report:
            raise InputError(f"{self.files[0]} has no {REPORT}. Name the vocabulary that it was made with (--vocab).")
        return Tokenizer.from_folder(self.folder, self.text_config)

    @property
    def text_config(self) -> TextConfig:
        """The `TextConfig` of that tokenizer; only records of this package have one."""
        return from_dict(TextConfig, self.report["text"])

    def measure(self, batch: int = 4096) -> tuple[np.ndarray, np.ndarray]:
        """Lengths in tokens and numbers of predictions (0 without masks), int32 [N]; reads all examples, once."""
        if self._measured is None:
            self._measured = self._measure(batch)
        return self._measured

    def _measure(self, batch):
        lengths, predictions = np.zeros(len(self), np.int32), np.zeros(len(self), np.int32)
        for start in range(0, len(self), batch):
            rows = self.load(range(start, min(start + batch, len(self))))
            lengths[start : start + batch] = tf.reduce_sum(rows[INPUT_MASK], 1)
            if "masked_lm_weights" in rows:
                predictions[start : start + batch] = tf.reduce_sum(tf.cast(rows["masked_lm_weights"] > 0, tf.int32), 1)
        return lengths, predictions

    def _open(self, file):
        """Maps a file into memory and stores the positions of its records."""
        if file.suffix == ".gz" or _is_gzip(file):
            file = self._unpack(file)
        with file.open("rb") as opened:
            size = opened.seek(0, 2)
            data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        places, position, number = [], 0, 0
        while position < size:
            if number % _STRIDE == 0:
                places.append(position)
            position = _next(data, position, size, file)
            number += 1
        self._maps.append(data)
        self._places.append(np.array(places, np.int64))
        self._starts.append(self._starts[-1] + number)

    def _unpack(self, file):
        self._unpacked = self._unpacked or tempfile.TemporaryDirectory(prefix="bert_tf_records_")
        target = pathlib.Path(self._unpacked.name) / f"{len(self._maps):05d}"
        try:
            with gzip.open(file) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
        except (EOFError, gzip.BadGzipFile) as error:
            raise InputError(f"{file}: damaged gzip file ({error}).") from None
        return target

    def _read(self, file, number):
        data, position = self._maps[file], int(self._places[file][number // _STRIDE])
        for _ in range(number % _STRIDE):
            position += struct.unpack_from("<Q", data, position)[0] + _FRAME
        length = struct.unpack_from("<Q", data, position)[0]
        return data[position + 12 : position + 12 + length]


def _is_gzip(file):
    with file.open("rb") as opened:
        return opened.read(2) == b"\x1f\x8b"


def _next(data, position, size, file):
    """The position of the record after the one at `position`."""
    following = position + _FRAME + (struct.unpack_from("<Q", data, position)[0] if position + 8 <= size else size)
    if following > size:
        raise InputError(
            f"{file}: not a complete TFRecord file (the record at byte {position:,} ends beyond its {size:,} bytes). "
            "Copy it again, or rebuild the records."
        )
    return following


def _describe(example, file):
    try:
        found = features_of(example)
    except Exception:
        raise InputError(f"{file}: its first record is not a tf.train.Example. Name files of such records.") from None
    schema = SCHEMAS["model_garden" if "input_word_ids" in found else "google"]
    names = {name: schema.get(name, name) for name in FEATURES}
    names = {ours: theirs for ours, theirs in names.items() if theirs in found}
    if missing := {INPUT_IDS, INPUT_MASK} - names.keys():
        raise InputError(f"{file}: no {' and no '.join(sorted(missing))} in its examples, which have {sorted(found)}.")
    return names, {ours: found[theirs] for ours, theirs in names.items()}
