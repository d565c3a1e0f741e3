"""Sentence embeddings: one vector per text, compared by cosine similarity."""

import dataclasses

from bert_tf.core.settings import setting
from bert_tf.tasks.spec import TaskSpec, WindowedTaskSettings


@dataclasses.dataclass(frozen=True)
class Settings(WindowedTaskSettings):
    """Arguments of `TextEmbedder`; None leaves one to the model."""

    pooling: str | None = setting(None, "vector of a text, from those of its tokens", choices=("cls", "mean", "max"))
    objective: str | None = setting(
        None,
        "pairs with scores, pairs that belong together, or triplets",
        choices=("similarity", "contrastive", "triplet"),
    )
    normalize: bool | None = setting(None, "scale vectors to length 1")
    max_score: float | None = setting(None, "highest score of a pair; scores are divided by it", above=0)
    prompts: dict[str, str] | None = setting(None, 'words before a text, by name: { query = "query: " }')
    default_prompt_name: str | None = setting(None, "the one of `prompts` before texts for which none is named")
    truncate_dim: int | None = setting(None, "numbers of a vector that are kept, from its first", least=1, most=2**20)


SPEC = TaskSpec(
    name="embedding",
    summary="One vector per text, for similarity and search.",
    model="bert_tf.tasks.embedding.task:TextEmbedder",
    settings=Settings,
    example=("The quick brown fox jumps over the lazy dog.",),
    training_columns=("text", "text_pair", "negative"),
    architectures={"sentence_transformers": "SentenceTransformer"},
    targets="bert_tf.tasks.embedding.targets:EmbeddingTargets",
    analyze="bert_tf.tasks.embedding.analysis:analyze",
    tflite_outputs="bert_tf.tasks.embedding.tflite:tflite_outputs",
)
