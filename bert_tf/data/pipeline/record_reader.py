"""Opens TFRecord files of pretraining examples, ours or another project's, so that any example can be read at once."""

import gzip
import json
import mmap
import pathlib
import shutil
import struct
import tempfile

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

_STRIDE = 16  # the place of every 16th record is kept; the others are reached by hopping over lengths
_FRAME = 16  # bytes around a record: its length (8), and checksums of the length (4) and of the data (4)


class Records:
    """Examples in TFRecord files, numbered in the order of the files.

    Args:
        path: a folder that `write_records` filled, or files, folders and globs of TFRecord files whose examples have
            Google's or Model Garden's feature names. GZIP files are unpacked to a temporary folder.
        skip: how many damaged examples `load` replaces before it raises.

    Attributes:
        damaged: numbers of the examples that could not be parsed so far.
        names: `{our name: name in the records}` of the features found.
        shapes: `{our name: (number of values, dtype)}`.
        settings: the settings they were written with, {} when another program wrote them.
    """

    def __init__(self, path, skip=0):
        self.skip, self.damaged = skip, set()
        self._measured = None
        self.folder = pathlib.Path(path) if isinstance(path, str | pathlib.Path) else None
        report = self.folder and self.folder / REPORT
        self.report = json.loads(report.read_text(encoding="utf-8")) if report and report.exists() else {}
        names = [self.folder / name for name in self.report["shards"]] if self.report else path
        self.files = [file for file in find_files(names) if file.name not in (REPORT, *VOCABULARY_FILES)]
        self._unpacked = None
        self._maps, self._starts, self._places = [], [0], []
        for file in self.files:
            self._open(file)
        if not len(self):
            raise InputError(f"No examples in {self.files[0]}{' and others' if len(self.files) > 1 else ''}.")
        self.settings = self.report.get("settings", {})
        self.names, self.shapes = _describe(self.read([0])[0], self.files[0])

    def __len__(self):
        return self._starts[-1]

    def read(self, numbers):
        """The serialized examples of these numbers, `bytes` in an object array [N]."""
        files = np.searchsorted(self._starts, numbers, side="right") - 1
        found = [self._read(file, number - self._starts[file]) for file, number in zip(files, numbers, strict=True)]
        return np.array(found, object)

    def load(self, numbers):
        """`{our name: array [N, W]}` of these examples.

        One that cannot be parsed is skipped, counted and said: the next whole one stands in for it. More than `skip`
        of them raise `InputError`.
        """
        try:
            return {name: value.numpy() for name, value in self.parse(self.read(numbers)).items()}
        except tf.errors.InvalidArgumentError:
            return {name: value.numpy() for name, value in self.parse(self.read(self._whole(numbers))).items()}

    def _whole(self, numbers):
        """The numbers, damaged ones replaced by the next that is whole."""
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
            raise InputError(f"{where}, the {len(self.damaged)}. such. Make the records again.")
        logging.warning("%s; it is skipped (%d so far).", where, len(self.damaged))
        return True

    def file_of(self, number):
        """The file that an example stands in."""
        return self.files[int(np.searchsorted(self._starts, number, side="right")) - 1]

    def parse(self, serialized):
        """`{our name: tensor [N, W]}` of serialized examples, in the graph."""
        return parse(serialized, self.names, self.shapes)

    def tokenizer(self):
        """The tokenizer that the records were made with; `InputError` if another program wrote them."""
        if not self.report:
            raise InputError(f"{self.files[0]} has no {REPORT} beside it: say which vocabulary it was made with.")
        return Tokenizer.from_folder(self.folder, self.text_config)

    @property
    def text_config(self):
        """The `TextConfig` of that tokenizer; only records of ours have one."""
        return from_dict(TextConfig, self.report["text"])

    def measure(self, batch=4096):
        """Reads everything once: lengths in pieces, int32 [N], and predictions, int32 [N] (zeros if not masked)."""
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
        """Maps a file into memory and notes where its records begin."""
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
    """Where the record after the one at `position` begins."""
    following = position + _FRAME + (struct.unpack_from("<Q", data, position)[0] if position + 8 <= size else size)
    if following > size:
        raise InputError(
            f"{file}: not a whole TFRecord file (a record at byte {position:,} of {size:,} ends beyond it)."
        )
    return following


def _describe(example, file):
    try:
        found = features_of(example)
    except Exception:
        raise InputError(f"{file}: its first record is not a tf.train.Example.") from None
    schema = SCHEMAS["model_garden" if "input_word_ids" in found else "google"]
    names = {name: schema.get(name, name) for name in FEATURES}
    names = {ours: theirs for ours, theirs in names.items() if theirs in found}
    if missing := {INPUT_IDS, INPUT_MASK} - names.keys():
        raise InputError(f"{file}: no {' and no '.join(sorted(missing))} in its examples, which have {sorted(found)}.")
    return names, {ours: found[theirs] for ours, theirs in names.items()}
