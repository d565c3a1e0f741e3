"""Texts with files of pictures or sounds to the inputs of a model."""

from typing import Any

import tensorflow as tf

from bert_tf.core.errors import InputError
from bert_tf.tasks.base.modalities import Modalities
from bert_tf.tasks.base.preprocessor import Preprocessor
from bert_tf.tasks.base.raw_inputs import as_columns

# N examples

_CONTENTS = "contents/"  # begins the names of rows that are not decoded


class MultimodalPreprocessor(Preprocessor):
    """Mixed in before the preprocessor of a task with a text: columns of files follow the text.

    Files are read and checked once; prepared examples keep their contents, and `pad` decodes those of a batch.

    Attributes:
        modalities: set by the model. The `spec` has the words' columns alone.
    """

    modalities: Modalities

    def encode_texts(self, texts: Any, training: bool = False) -> tuple:
        """As the base class, for the text and a column of paths or contents for each modality.

        Columns may be left out at the end, and in inference "" is no file.
        """
        words, names = self.spec.texts, (*self.spec.texts, *self.modalities.names)
        texts = as_columns(texts, names)
        if len(texts) > len(names):
            raise InputError(f"Received {len(texts)} columns. The model reads {', '.join(names)}.")
        encoded = super().encode_texts(texts[: len(words)], training)
        count = int(encoded[0].shape[0])
        files = list(texts[len(words) :])
        files += [[""] * count] * (len(names) - len(words) - len(files))
        contents = self.modalities.contents(files, training)
        for name, column in zip(self.modalities.names, contents, strict=True):
            if column.shape[0] != count:
                raise InputError(f"Received texts of different numbers: {count} of text, {column.shape[0]} of {name}.")
        return (*encoded, *contents)

    def __call__(self, texts: Any, length: int | None = None) -> dict:
        """Encoded texts to the encoder's inputs of words, and pixels or samples with their masks."""
        texts = as_columns(texts)
        words = len(self.spec.texts)
        return super().__call__(texts[:words], length) | self.modalities.decode(texts[words:])

    def training_inputs(self, texts: tuple) -> dict:
        """The words' inputs, and contents that `pad` decodes."""
        words = len(self.spec.texts)
        return Preprocessor.__call__(self, texts[:words]) | self.named_contents(texts[words:])

    def inference_inputs(self, texts: tuple) -> dict:
        """The same; `complete` decodes those that `pad` has not seen."""
        return self.training_inputs(texts)

    def complete(self, inputs: dict) -> dict:
        """The inputs with contents decoded; those of requests made of tokens stay."""
        contents = [inputs[name] for name in self.contents_names if name in inputs]
        if not contents:
            return inputs
        words = {name: value for name, value in inputs.items() if name not in self.contents_names}
        return words | self.modalities.decode(contents)

    def unpad(self, inputs: dict, *learned: Any) -> tuple:
        """As the base class; contents, and what is decoded already, stay as they are."""
        words, kept = self._split(inputs)
        rows, *targets = super().unpad(words, *learned)
        return (rows | kept, *targets)

    def pad(self, rows: dict, *learned: Any) -> Any:
        """As the base class, with contents decoded."""
        words, kept = self._split(rows)
        padded = super().pad(words, *learned)
        if not learned:
            return self.complete(padded | kept)
        inputs, *targets = padded
        return (self.complete(inputs | kept), *targets)

    def _split(self, inputs: dict) -> tuple[dict, dict]:
        """The inputs of words, and those of files: contents, and what is decoded already."""
        names = {*self.contents_names, *self.modalities.input_specs()}
        words = {name: value for name, value in inputs.items() if name not in names}
        return words, {name: value for name, value in inputs.items() if name in names}

    @property
    def contents_names(self) -> list[str]:
        """Names of the columns of files in rows that are not decoded."""
        return [_CONTENTS + name for name in self.modalities.names]

    def named_contents(self, contents: Any) -> dict[str, tf.Tensor]:
        """Columns of contents under `contents_names`."""
        return dict(zip(self.contents_names, contents, strict=True))
