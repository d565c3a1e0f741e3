"""Classification of a text or a pair of texts: one class, any number of labels, or a score."""

import dataclasses

from bert_tf.core.settings import setting
from bert_tf.tasks.spec import TaskSpec, WindowedTaskSettings


@dataclasses.dataclass(frozen=True)
class Settings(WindowedTaskSettings):
    """Arguments of `TextClassifier`; None leaves one to the model."""

    labels: tuple[str, ...] | None = setting(None, "names of the classes; none: those of the training data")
    problem_type: str | None = setting(
        None,
        "what a text gets: one class, any number of labels, or a score",
        choices=("single_label_classification", "multi_label_classification", "regression"),
    )
    pooling: str | None = setting(None, "vector of a text, from those of its tokens", choices=("cls", "mean", "max"))
    class_weights: dict[str, float] | str | None = setting(
        None, "weights of classes in the loss, as a table {label = weight}", least=0, choices=("balanced",)
    )


SPEC = TaskSpec(
    name="classification",
    summary="One class, any number of labels, or a score for a text or a pair of texts.",
    model="bert_tf.tasks.classification.task:TextClassifier",
    settings=Settings,
    texts=("text", "text_pair"),
    optional_texts=("text_pair",),
    example=("It was the best of times, it was the worst of times.", "It was the age of wisdom."),
    head="classifier",
    architectures={"huggingface": "ForSequenceClassification", "keras_hub": "TextClassifier"},
    targets="bert_tf.tasks.classification.targets:ClassificationTargets",
    analyze="bert_tf.tasks.classification.analysis:analyze",
    distills=True,
    tflite_outputs="bert_tf.tasks.classification.tflite:tflite_outputs",
    explained="bert_tf.tasks.classification.explained:explained",
)
