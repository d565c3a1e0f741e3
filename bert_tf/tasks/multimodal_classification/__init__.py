"""Classification of a text with a picture, a sound, or both: visual question answering, for instance."""

import dataclasses

from bert_tf.core.settings import setting
from bert_tf.tasks.spec import TaskSettings, TaskSpec


@dataclasses.dataclass(frozen=True)
class Settings(TaskSettings):
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
    modalities: tuple[str, ...] | None = setting(
        None, "files beside the text, in the order of their columns: image, audio"
    )
    modality_dropout: float | None = setting(
        None, "share of the examples of which training hides a picture or sound", least=0, below=1
    )
    image_size: int | None = setting(None, "pixels, high and wide, that pictures are stretched to", least=1, most=4096)
    image_patch: int | None = setting(None, "pixels, high and wide, of a feature", least=1, most=1024)
    image_network: str | None = setting(
        None, "makes features of pixels: patches (a linear projection) or convolutions (of 16 pixels)",
        choices=("patches", "convolutions"),
    )  # fmt: skip
    audio_rate: int | None = setting(None, "samples a second; other sounds are resampled", least=1000, most=384_000)
    audio_seconds: float | None = setting(None, "seconds that are read of a sound", above=0, most=600)
    audio_bands: int | None = setting(None, "mel bands of a frame", least=1, most=512)
    audio_stack: int | None = setting(None, "frames, one every 10 ms, of a feature", least=1, most=100)


SPEC = TaskSpec(
    name="multimodal_classification",
    summary="One class, any number of labels, or a score for a text with a picture, a sound, or both.",
    model="bert_tf.tasks.multimodal_classification.task:MultimodalClassifier",
    settings=Settings,
    texts=("text", "image", "audio"),
    optional_texts=("image", "audio"),
    files=("image", "audio"),
    example=("What is the color of the shape?", "", ""),
    head="classifier",
    targets="bert_tf.tasks.classification.targets:ClassificationTargets",
    analyze="bert_tf.tasks.classification.analysis:analyze",
)
