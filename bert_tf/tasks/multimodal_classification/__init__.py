"""Classification of a text with a picture, a sound, or both: visual question answering, for instance."""

import dataclasses

from bert_tf.core.settings import setting
from bert_tf.tasks.base.modality_settings import FILES, ModalitySettings
from bert_tf.tasks.spec import TaskSpec


@dataclasses.dataclass(frozen=True)
class Settings(ModalitySettings):
    """Arguments of `MultimodalClassifier`; None leaves one to the model."""

    labels: tuple[str, ...] | None = setting(None, "names of the classes; none: those of the training data")
    problem_type: str | None = setting(
        None,
        "what a text with its files gets: one class, any number of labels, or a score",
        choices=("single_label_classification", "multi_label_classification", "regression"),
    )
    pooling: str | None = setting(
        None, "vector of an example, from those of its tokens", choices=("cls", "mean", "max")
    )
    class_weights: dict[str, float] | str | None = setting(
        None, "weights of classes in the loss, as a table {label = weight}", least=0, choices=("balanced",)
    )
    modality_dropout: float | None = setting(
        None, "share of the examples of which training hides a file", least=0, below=1
    )


SPEC = TaskSpec(
    name="multimodal_classification",
    summary="One class, any number of labels, or a score for a text with a picture, a sound, or both.",
    model="bert_tf.tasks.multimodal_classification.task:MultimodalClassifier",
    settings=Settings,
    texts=("text", *FILES),
    optional_texts=FILES,
    files=FILES,
    example=("What is the color of the shape?", "", "", ""),
    head="classifier",
    targets="bert_tf.tasks.classification.targets:ClassificationTargets",
    analyze="bert_tf.tasks.classification.analysis:analyze",
    tflite_outputs="bert_tf.tasks.classification.tflite:tflite_outputs",
    explained="bert_tf.tasks.classification.explained:explained",
)
