"""The declaration of a task: everything that the rest of the package needs to know about it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from bert_tf.core.registry import resolve
from bert_tf.core.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class TaskSettings(Settings):
    """Settings that `[model]` of a fine-tuning config may have for a task, named as the arguments of its model.

    None, the default of each, leaves it to the model.
    """

    max_length: int | None = setting(
        None, "tokens of a row; longer texts are cut, or read in windows", least=1, most=2**20
    )


@dataclasses.dataclass(frozen=True)
class WindowedTaskSettings(TaskSettings):
    """Settings of a task that can read long texts in windows."""

    stride: int | None = setting(None, "tokens from one window of a long text to the next", least=1, most=2**20)


@dataclasses.dataclass(frozen=True)
class TaskSpec:
    """A task, as one entry of the registry; importing it imports neither TensorFlow nor Keras.

    Places are written "module:name" and imported on first use.

    Attributes:
        name: in configs and in a model folder's config.json.
        summary: one line, for users.
        model: place of its `Task` class.
        settings: subclass of `TaskSettings`, the settings of the task in addition to the encoder's.
        texts: names of the texts of a request, in order; in data files, of their columns.
        optional_texts: those of them that may be left out, or be "".
        quoted_text: the one of `texts` that targets quote, so that it cannot be changed alone; "" without.
        files: those of them that are files, such as pictures: a path, relative to the data file, in files of examples,
            the contents in requests.
        last_text_is_list: whether an example has a list of texts under the last name; a table has a column for each,
            and "" where an example has no more.
        example: the texts of an example that people may try, in the order of `texts`; "{mask}" in it is the tokenizer's
            mask token. () where any text will do.
        training_columns: text columns of data files, where they differ from `texts`; those that a file has are read.
        head: first part of the names of the head's weights; "" for a task without a head.
        architectures: {format: the model class in that project's files, without the family's name}.
        file_formats: formats of data files that only this task reads.
        targets: place of its `Targets` class, which converts targets of data files to those of the model; "" for a
            task that is not trained.
        analyze: place of a function of (model, examples) to an `EvaluationResult`; "" for a task that is not scored.
        distills: whether a model can learn the task from another one (see tasks/distillation).
        tflite_outputs: place of a function of a model to its `TFLiteOutputs`; "" where a phone cannot run it.
        explained: place of a function to the `Explained` of a row, arguments as for `explained_of`; "" where there is
            nothing to explain.
    """

    name: str
    summary: str
    model: str
    settings: type
    texts: tuple[str, ...] = ("text",)
    optional_texts: tuple[str, ...] = ()
    quoted_text: str = ""
    files: tuple[str, ...] = ()
    last_text_is_list: bool = False
    example: tuple[Any, ...] = ()
    training_columns: tuple[str, ...] = ()
    head: str = ""
    architectures: Mapping[str, str] = dataclasses.field(default_factory=dict)
    file_formats: tuple[str, ...] = ()
    targets: str = ""
    analyze: str = ""
    distills: bool = False
    tflite_outputs: str = ""
    explained: str = ""

    def texts_of(self, cells: tuple) -> tuple:
        """The texts of an example, from the cells of its columns; with `last_text_is_list` the last is a list."""
        if not self.last_text_is_list or isinstance(cells[-1], list):
            return cells
        first = len(self.texts) - 1
        return (*cells[:first], [cell for cell in cells[first:] if cell != ""])

    def load(self, attribute: str) -> Any:
        """The object at the place that `attribute` names: `spec.load("model")` is the class of its models."""
        return resolve(getattr(self, attribute))
