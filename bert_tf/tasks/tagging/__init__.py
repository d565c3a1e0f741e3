"""Tagging of words: named entities, parts of speech, Chinese word segmentation."""

import dataclasses

from bert_tf.core.settings import setting
from bert_tf.tasks.spec import TaskSpec, WindowedTaskSettings


@dataclasses.dataclass(frozen=True)
class Settings(WindowedTaskSettings):
    """Arguments of `TextTagger`; None leaves one to the model."""

    labels: tuple[str, ...] | None = setting(None, "names of the tags; none: those of the training data")
    scheme: str | None = setting(None, "how tags mark entities: IOB1, IOB2, BIOES; none: inferred from the labels")
    class_weights: dict[str, float] | str | None = setting(
        None, "weights of tags in the loss, as a table {label = weight}", least=0, choices=("balanced",)
    )


SPEC = TaskSpec(
    name="tagging",
    summary="A tag for each word: entities, parts of speech.",
    model="bert_tf.tasks.tagging.task:TextTagger",
    settings=Settings,
    example=("Ada Lovelace met Charles Babbage in London.",),
    training_columns=("words",),
    head="classifier",
    architectures={"huggingface": "ForTokenClassification"},
    file_formats=("conll",),
    targets="bert_tf.tasks.tagging.targets:TaggingTargets",
    analyze="bert_tf.tasks.tagging.analysis:analyze",
    distills=True,
    tflite_outputs="bert_tf.tasks.tagging.tflite:tflite_outputs",
    explained="bert_tf.tasks.tagging.explained:explained",
)
