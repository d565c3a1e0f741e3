"""Sentence embeddings: one vector per text, compared by cosine similarity."""

import dataclasses

from bert_tf.tasks.spec import TaskSpec


@dataclasses.dataclass(frozen=True)
class Settings:
    """Arguments of `TextEmbedder`; None leaves one to the model."""

    max_length: int | None = None
    pooling: str | None = None
    objective: str | None = None
    normalize: bool | None = None
    max_score: float | None = None
    stride: int | None = None


SPEC = TaskSpec(
    name="embedding",
    summary="One vector per text, for similarity and search.",
    model="bert_tf.tasks.embedding.task:TextEmbedder",
    settings=Settings,
    training_columns=("text", "text_pair", "negative"),
    architectures={"sentence_transformers": "SentenceTransformer"},
    targets="bert_tf.tasks.embedding.targets:EmbeddingTargets",
    analyze="bert_tf.tasks.embedding.analysis:analyze",
    tflite_outputs="bert_tf.tasks.embedding.tflite:tflite_outputs",
)
