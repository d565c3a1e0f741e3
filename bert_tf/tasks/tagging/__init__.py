"""Tagging of words: named entities, parts of speech, Chinese word segmentation."""

import dataclasses

from bert_tf.tasks.spec import TaskSpec


@dataclasses.dataclass(frozen=True)
class Settings:
    """Arguments of `TextTagger`; None leaves one to the model."""

    labels: tuple[str, ...] | None = None  # None: those of the training data
    max_length: int | None = None
    scheme: str | None = None
    stride: int | None = None


SPEC = TaskSpec(
    name="tagging",
    summary="A tag for each word: entities, parts of speech.",
    model="bert_tf.tasks.tagging.task:TextTagger",
    settings=Settings,
    training_columns=("words",),
    head="classifier",
    architectures={"huggingface": "ForTokenClassification"},
    file_formats=("conll",),
    targets="bert_tf.tasks.tagging.targets:TaggingTargets",
    analyze="bert_tf.tasks.tagging.analysis:analyze",
    tflite_outputs="bert_tf.tasks.tagging.tflite:tflite_outputs",
)
