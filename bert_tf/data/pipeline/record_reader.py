"""Random access to TFRecord files of pretraining examples, of this package or another project."""

import gzip
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
from bert_tf.core.files import check_regular, read_json
from bert_tf.data.pipeline.checksums import match, match_heads
from bert_tf.data.pretraining.records_folder import REPORT, check_shards, is_unfinished
from bert_tf.data.pretraining.tf_examples import FEATURES, SCHEMAS, features_of, parse
from bert_tf.text.corpus import find_files
from bert_tf.text.tokenizers.base import VOCABULARY_FILES, Tokenizer

_STRIDE = 16  # the position of every 16th record is kept; the others are found by following the lengths
_HEAD = 12  # bytes before a record: its length (8), and the checksum of the length (4)
_FRAME = 16  # bytes around a record: those before it, and the checksum of the data (4)


class Records:
    """Examples in TFRecord files, numbered in the order of the files.

    Args:
        path: a folder that `write_records` filled, or files, folders and globs of TFRecord files whose examples have
            Google's or Model Garden's feature names. GZIP files are decompressed to a temporary folder.
        skip: how many damaged examples `load` replaces before it raises `InputError`.

    Raises:
        InputError: a file is missing, not complete, of another size than `write_records` wrote, or not of records.

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
        self.report = read_json(report) if report and report.exists() else {}
        if self.folder and self.report:
            check_shards(self.folder, self.report)
        elif self.folder and is_unfinished(self.folder):
            raise InputError(f"{self.folder} has unfinished records. Finish them with the same command as before.")
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
        self.names: dict[str, str] = {}
        self.shapes: dict = {}
        first = int(self._intact([0])[0])
        self.names, self.shapes = _describe(self.read([first])[0], self.file_of(first))

    def __len__(self):
        return self._starts[-1]

    def read(self, numbers: Sequence[int]) -> np.ndarray:
        """The serialized examples of these numbers, `bytes` in an object array [N]; checksums are not compared."""
        return self._fetch(numbers)[0]

    def _fetch(self, numbers):
        """The serialized examples, `bytes` in an object array [N], and their checksums, uint32 [N]."""
        files = np.searchsorted(self._starts, numbers, side="right") - 1
        found = [self._read(file, number - self._starts[file]) for file, number in zip(files, numbers, strict=True)]
        examples = np.empty(len(found), object)
        examples[:] = [example for example, _ in found]
        return examples, np.frombuffer(b"".join(checksum for _, checksum in found), "<u4")

    def load(self, numbers: Sequence[int]) -> dict[str, np.ndarray]:
        """`{our name: array [N, W]}` of these examples.

        A damaged one, whose checksum differs or which cannot be parsed, is replaced by the next intact one, counted
        and logged. More than `skip` of them raise `InputError`.
        """
        rows = self._parsed(numbers)
        if rows is None:
            rows = self._parsed(self._intact(numbers))
        return {name: value.numpy() for name, value in rows.items()}

    def _parsed(self, numbers):
        """`{our name: tensor [N, W]}` of these examples, None where one of them is damaged."""
        examples, checksums = self._fetch(numbers)
        if not match(examples, checksums):
            return None
        try:
            return self.parse(examples) if self.names else {}
        except tf.errors.InvalidArgumentError:
            return None

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
        if self._parsed([number]) is not None:
            return False
        self.damaged.add(int(number))
        where = f"{self.file_of(number)}: example {number:,} of the records is damaged and cannot be parsed"
        if len(self.damaged) > self.skip or len(self.damaged) == len(self):
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
        check_regular(file)
        if file.suffix == ".gz" or _is_gzip(file):
            file = self._unpack(file)
        with file.open("rb") as opened:
            size = opened.seek(0, 2)
            data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        places, position = [], 0
        while position < size:
            places.append(position)
            position = _next(data, position, size, file)
        _check_lengths(data, places, file)
        self._maps.append(data)
        self._places.append(np.array(places[::_STRIDE], np.int64))
        self._starts.append(self._starts[-1] + len(places))

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
        end = position + _HEAD + length
        return data[position + _HEAD : end], data[end : end + 4]


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


def _check_lengths(data, places, file):
    """Raises `InputError` where the checksum of a record's length differs: the records after it may be anywhere."""
    heads = b"".join(data[place : place + _HEAD] for place in places)
    if not match_heads(np.frombuffer(heads, np.uint8).reshape(-1, _HEAD)):
        raise InputError(f"{file}: damaged (the length of a record has another checksum). Rebuild the records.")


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
