"""Vectors of texts, pictures and sounds in one space, compared by cosine similarity."""

import dataclasses

from bert_tf.core.settings import setting
from bert_tf.tasks.base.modality_settings import FILES, ModalitySettings
from bert_tf.tasks.spec import TaskSpec


@dataclasses.dataclass(frozen=True)
class Settings(ModalitySettings):
    """Arguments of `MultimodalEmbedder`; None leaves one to the model."""

    pooling: str | None = setting(
        None, "vector of a text or file, from those of its tokens and features", choices=("cls", "mean", "max")
    )


SPEC = TaskSpec(
    name="multimodal_embedding",
    summary="One vector per text, picture or sound, in one space: search among pictures by words, and back.",
    model="bert_tf.tasks.multimodal_embedding.task:MultimodalEmbedder",
    settings=Settings,
    texts=("text", *FILES),
    optional_texts=FILES,
    files=FILES,
    example=("a red square", "", "", ""),
    targets="bert_tf.tasks.multimodal_embedding.targets:MultimodalEmbeddingTargets",
    analyze="bert_tf.tasks.multimodal_embedding.analysis:analyze",
    tflite_outputs="bert_tf.tasks.embedding.tflite:tflite_outputs",
)
