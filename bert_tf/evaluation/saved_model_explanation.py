"""Explanations of a SavedModel, which has answers and no gradients: how much each word changes them when left out."""

import os
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.saved_model_folders import numbered, read_labels
from bert_tf.evaluation.explain import Explanation
from bert_tf.media.contents import column_contents
from bert_tf.tasks.base.explained import check_label
from bert_tf.tasks.base.modality_settings import FILES
from bert_tf.tasks.base.raw_inputs import decoded
from bert_tf.tasks.spec import TaskSettings, TaskSpec
from bert_tf.text.ideographs import IDEOGRAPHS

# N texts, W words, C classes

METHOD = "leave_one_out"
_ROWS = 32  # answered at once
# A Chinese character, or letters and digits with apostrophes between them.
_LETTERS = rf"(?:(?![{IDEOGRAPHS}])\w)+"
_WORDS = re.compile(rf"[{IDEOGRAPHS}]|{_LETTERS}(?:['’]{_LETTERS})*")


def find_saved_model(folder: str | os.PathLike) -> pathlib.Path | None:
    """The SavedModel in a folder, or its newest version in it; None where the folder has none."""
    folder = pathlib.Path(folder)
    versions = sorted(numbered(folder.glob("*")), reverse=True)
    for path in (folder, *(path for _, path in versions)):
        if (path / "saved_model.pb").exists():
            return path
    return None


class SavedModel:
    """A classifier, or a model with a score, that `bert-tf export` or another program wrote, by its signatures.

    Attributes:
        TEXTS, OPTIONAL_TEXTS, SPEC: as of a task model, so that files are read alike.
        purpose: for people.

    Args:
        folder: of the SavedModel: strings [N] in, of texts and contents of files, "probabilities" [N, C] or "score" [N]
            out.

    Raises:
        ConfigError: its signatures take or return something else.
    """

    def __init__(self, folder: pathlib.Path):
        import tensorflow_text  # noqa: F401, has the tokenizers' operators

        self.purpose = str(folder)
        self._model = tf.saved_model.load(str(folder))  # the signatures need its tables
        signatures = self._model.signatures
        self._by_texts: dict[frozenset[str], Any] = {}
        for name in ("serving_default", "pair"):
            if name in signatures:
                specs = signatures[name].structured_input_signature[1]
                if all(spec.dtype == tf.string and spec.shape.rank == 1 for spec in specs.values()):
                    self._by_texts[frozenset(specs)] = signatures[name]
        if not self._by_texts:
            raise ConfigError(f"{folder} has no signature that takes texts, which an explanation needs.")
        every = max(self._by_texts, key=len)
        required = min(self._by_texts, key=len)
        self.TEXTS = tuple(sorted(every, key=lambda name: (name in FILES, name == "context", name)))
        self.OPTIONAL_TEXTS = tuple(name for name in self.TEXTS if name not in required)
        outputs = self._by_texts[required].structured_outputs
        self._output = next((name for name in ("probabilities", "score") if name in outputs), None)
        if self._output is None:
            known = ", ".join(sorted(outputs))
            raise ConfigError(f"{folder} returns {known}. Explained are probabilities of labels, and scores.")
        self.labels = read_labels(folder)
        files = tuple(name for name in self.TEXTS if name in FILES)
        self.SPEC = TaskSpec(
            *("saved_model", self.purpose, "", TaskSettings, self.TEXTS, self.OPTIONAL_TEXTS), files=files
        )

    def numbers_of(self, rows: Sequence[tuple[str | bytes, ...]]) -> np.ndarray:
        """The probabilities of each row of texts and contents of files, float [N, C], or its score, [N, 1]."""
        names = self.TEXTS[: len(rows[0])]
        serve = self._by_texts.get(frozenset(names))
        if serve is None:
            raise InputError(f"Received {len(names)} texts. The SavedModel reads {', '.join(self.TEXTS)}.")
        found = []
        for first in range(0, len(rows), _ROWS):
            columns = zip(*rows[first : first + _ROWS], strict=True)
            answers = serve(**{name: tf.constant(column) for name, column in zip(names, columns, strict=True)})
            found.append(answers[self._output].numpy())
        numbers = np.concatenate(found)
        return numbers.reshape(len(rows), -1)

    def name_of(self, number: int) -> str:
        """The label with this number, or the name of the score."""
        if self._output == "score":
            return "score"
        return self.labels[number] if number < len(self.labels) else f"class {number}"


def explain_saved_model(
    model: SavedModel, texts: tuple[Sequence[str], ...], label: str | None = None
) -> Iterator[Explanation]:
    """Yields an `Explanation` by leaving out one word after the other, for each of N examples.

    The explained number is a probability, or the score; `baseline` is that of empty texts. Words are runs of letters
    and digits, and Chinese characters. Files, given by their paths, stay in all. Arguments and errors as for `explain`.
    """
    check_label(label, model.labels)
    count = len(model.TEXTS) - len(model.SPEC.files)
    contents = []  # of the columns of files; the graph checks them
    for name, paths in zip(model.TEXTS[count:], texts[count:], strict=False):
        contents.append(column_contents(paths, name, lambda content: None).numpy())
    for number, row in enumerate(zip(*texts, strict=True)):
        row = tuple(map(decoded, row))
        if not row[-1] and len(row) > 1 and model.TEXTS[len(row) - 1] in model.OPTIONAL_TEXTS:
            row = row[:-1]
        read, files = row[:count], [of_column[number] for of_column in contents]
        words = [(column, *match.span()) for column, text in enumerate(read) for match in _WORDS.finditer(text)]
        if not words:
            raise InputError(f"Row {number}: The text has no words.")
        rows = [read, ("",) * len(read), *(_without(read, *word) for word in words)]
        numbers = model.numbers_of([(*changed, *files) for changed in rows])  # [2 + W, C]
        chosen = int(numbers[0].argmax()) if label is None else model.labels.index(label)
        score, baseline, *others = map(float, numbers[:, chosen])
        found = []
        for (column, start, end), other in zip(words, others, strict=True):
            place = {"text": column, "start": start, "end": end}
            found.append(place | {"word": row[column][start:end], "attribution": score - other})
        yield Explanation(row, model.name_of(chosen), METHOD, score, baseline, found)


def _without(row: tuple[str, ...], column: int, start: int, end: int) -> tuple[str, ...]:
    """The texts without one word, and without the space before it."""
    before, after = row[column][:start], row[column][end:]
    if after[:1] in ("", " "):
        before = before.rstrip(" ")
    return (*row[:column], before + after, *row[column + 1 :])
