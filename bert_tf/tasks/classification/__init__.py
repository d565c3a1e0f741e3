"""Classification of a text or a pair of texts: one class, any number of labels, or a score."""

import dataclasses

from bert_tf.tasks.spec import TaskSpec


@dataclasses.dataclass(frozen=True)
class Settings:
    """Arguments of `TextClassifier`; None leaves one to the model."""

    labels: tuple[str, ...] | None = None  # None: those of the training data
    max_length: int | None = None
    problem_type: str | None = None
    pooling: str | None = None
    stride: int | None = None


SPEC = TaskSpec(
    name="classification",
    summary="One class, any number of labels, or a score for a text or a pair of texts.",
    model="bert_tf.tasks.classification.task:TextClassifier",
    settings=Settings,
    texts=("text", "text_pair"),
    optional_texts=("text_pair",),
    head="classifier",
    architectures={"huggingface": "ForSequenceClassification", "keras_hub": "TextClassifier"},
    targets="bert_tf.tasks.classification.targets:ClassificationTargets",
    analyze="bert_tf.tasks.classification.analysis:analyze",
    tflite_outputs="bert_tf.tasks.classification.tflite:tflite_outputs",
)
