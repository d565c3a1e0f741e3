"""Sentence embeddings, compared by cosine similarity (Reimers and Gurevych 2019)."""

from typing import Any

import keras
import numpy as np
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.layers.pooling import POOLINGS, normalize, pool
from bert_tf.modeling.train_step import GlobalMean
from bert_tf.tasks.base.batching import select
from bert_tf.tasks.base.long_text_task import LongTextTask
from bert_tf.tasks.base.metrics import correlations, ranking_metrics
from bert_tf.tasks.base.prepared import PreparedColumns, PreparedExamples
from bert_tf.tasks.base.preprocessor import Preprocessor
from bert_tf.tasks.embedding import SPEC
from bert_tf.tasks.embedding.losses import CosineSimilarityLoss, MultipleNegativesRankingLoss, TripletLoss
from bert_tf.tasks.embedding.postprocessor import ANSWER, EmbeddingPostprocessor
from bert_tf.tasks.embedding.preprocessor import EmbeddingPreprocessor
from bert_tf.tasks.embedding.search import most_similar, unit

# N texts or examples, T texts of an example in training, S sequence, D hidden, Q queries

# By objective: the loss, the texts of an example, and the metric that selects the best model.
OBJECTIVES = {
    "similarity": (CosineSimilarityLoss, (2,), "spearman"),
    "contrastive": (MultipleNegativesRankingLoss, (2, 3), "mrr"),
    "triplet": (TripletLoss, (3,), "accuracy"),
}
_SAVED = ("pooling", "normalize", "objective", "max_score")  # settings in config.json, of the same name on the model
_SAVED_IF_SET = ("prompts", "default_prompt_name", "truncate_dim")  # those of sentence-transformers


@keras.saving.register_keras_serializable("bert_tf")
class TextEmbedder(LongTextTask):
    """Pooled token vectors of the encoder: its inputs [N, S] to float32 vectors [N, D].

    Training examples have two or three texts, inputs [N, T, S] to vectors [N, T, D]: `fit((texts, others), scores)`
    for "similarity"; `fit((texts, matches))` or `fit((texts, matches, negatives))` for "contrastive", where the other
    examples of the batch are negatives too; `fit((texts, near, far))` for "triplet".

    Args:
        tokenizer: a `Tokenizer`.
        pooling: "mean", "cls" or "max".
        normalize: whether vectors are scaled to length 1.
        max_length: most tokens of a row; None: 128, or all positions of a smaller encoder.
        objective: "similarity", "contrastive" or "triplet".
        max_score: highest score, that of a pair with the same meaning; scores are divided by it (5 for STS-B).
        stride: tokens from one window of a long text to the next (`LongTextTask`); None: long texts are truncated.
        prompts: {name: words before a text}, "query: " for instance; `fit` takes texts as they are.
        default_prompt_name: the prompt before texts for which none is named; None: no prompt.
        truncate_dim: numbers of an answer's vector that are kept, from its first; None: all D.
        encoder: the family's name and the fields of its config.

    Raises:
        ConfigError: `pooling`, `objective` or `default_prompt_name` is unknown, `max_score` is not above 0, or
            `truncate_dim` not in 1 to D.
    """

    SPEC = SPEC
    preprocessor: EmbeddingPreprocessor
    LOSSES = ()  # of vectors
    SCORE = "spearman"  # each objective sets its own, see `OBJECTIVES`

    def __init__(
        self,
        tokenizer: Any,
        pooling: str = "mean",
        normalize: bool = True,
        max_length: int | None = None,
        objective: str = "similarity",
        max_score: float = 1.0,
        stride: int | None = None,
        prompts: dict[str, str] | None = None,
        default_prompt_name: str | None = None,
        truncate_dim: int | None = None,
        **encoder: Any,
    ):
        super().__init__(tokenizer, max_length, **encoder)
        if pooling not in POOLINGS:
            raise ConfigError(f"Received: pooling={pooling!r}. Choose from {', '.join(POOLINGS)}.")
        if objective not in OBJECTIVES:
            raise ConfigError(f"Received: objective={objective!r}. Choose from {', '.join(OBJECTIVES)}.")
        if not max_score > 0:
            raise ConfigError(f"Received: max_score={max_score}. It must be above 0.")
        prompts = dict(prompts or {})
        if not all(isinstance(words, str) for words in prompts.values()):
            raise ConfigError(f"Received: prompts={prompts}. Each is a text under its name.")
        if default_prompt_name is not None and default_prompt_name not in prompts:
            names = ", ".join(prompts) or "none"
            raise ConfigError(f"Received: default_prompt_name={default_prompt_name!r}. Prompts of the model: {names}.")
        if truncate_dim is not None and not 0 < truncate_dim <= self.config.hidden_size:
            raise ConfigError(f"Received: truncate_dim={truncate_dim}. It must be in 1 to {self.config.hidden_size}.")
        self.prompts, self.default_prompt_name, self.truncate_dim = prompts, default_prompt_name, truncate_dim
        self.pooling, self.normalize, self.objective, self.max_score = pooling, normalize, objective, max_score
        _, texts_of_example, self.SCORE = OBJECTIVES[objective]
        self.preprocessor = EmbeddingPreprocessor(
            SPEC,
            tokenizer,
            self.max_length,
            stride,
            objective,
            texts_of_example,
            max_score,
            prompts,
            default_prompt_name,
        )
        self.postprocessor = EmbeddingPostprocessor(normalize, truncate_dim)
        self.cls_only = pooling == "cls"
        self.leave_pooler()
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Marks the model as built: all its weights are the encoder's."""
        self.built = True

    def call(self, inputs: dict, training: bool | None = None) -> Any:
        """The encoder's inputs, int32 [N, S] or [N, T, S], to vectors, float32 [N, D] or [N, T, D]."""
        mask = inputs[features.INPUT_MASK]
        rows = self.flat_rows(inputs)  # int32 [N, S] or [N * T, S]
        outputs = self.encoder(rows, training=training, cls_only=self.cls_only)
        vectors = pool(outputs[features.SEQUENCE_OUTPUT], rows[features.INPUT_MASK], self.pooling)
        if self.normalize:
            vectors = normalize(vectors)
        return ops.reshape(vectors, (*ops.shape(mask)[:-1], self.config.hidden_size))

    def default_loss(self) -> Any:
        """The loss of the objective."""
        loss, _, _ = OBJECTIVES[self.objective]
        return GlobalMean(loss())

    def default_metrics(self) -> list:
        """No metrics: `score` computes them on all examples at once."""
        return []

    def predict_prepared(self, prepared: PreparedExamples | PreparedColumns, batch_size: int = 32) -> list[dict]:
        """As `Task.predict_prepared`; "embedding" is [D], or [T, D] for T columns of texts."""
        if isinstance(prepared, PreparedExamples):
            return super().predict_prepared(prepared, batch_size)
        vectors = np.stack([self._embed(column, batch_size) for column in prepared.columns], 1)
        return [{ANSWER: row.tolist()} for row in vectors]

    def inference_inputs(self, texts: tuple) -> dict[str, Any]:
        """As `Task.inference_inputs`, after the default prompt."""
        return super().inference_inputs(self.preprocessor.with_prompt(texts))

    def predict_text(self, texts: Any, batch_size: int = 32, prompt: str | None = None) -> list[dict]:
        """As `Task.predict_text`, {"embedding": D numbers} for each text.

        `prompt` is the name of one of `prompts`; None: the default one; "": no prompt.
        """
        return self.predict_prepared(self.preprocessor.prepare_inference(texts, prompt), batch_size)

    def embed(self, texts: Any, batch_size: int = 32, prompt: str | None = None) -> np.ndarray:
        """Vectors of N texts, float32 [N, D]; `prompt` as for `predict_text`."""
        return self._embed(self.preprocessor.prepare_inference((texts,), prompt), batch_size)

    def _embed(self, prepared: PreparedExamples, batch_size: int) -> np.ndarray:
        """Vectors of N prepared texts, float32 [N, D]."""
        vectors = np.zeros((len(prepared), self.truncate_dim or self.config.hidden_size), "float32")
        for numbers, answers in self._predict_batches(prepared, batch_size):
            vectors[numbers] = answers[ANSWER]
        return vectors

    def similarity(self, texts: Any, others: Any, batch_size: int = 32) -> np.ndarray:
        """Cosine similarities of N pairs of texts, float32 [N]."""
        first, second = self.preprocessor.prepare_inference((texts, others)).columns
        return self._similarity(first, second, batch_size)

    def _similarity(self, texts: PreparedExamples, others: PreparedExamples, batch_size: int) -> np.ndarray:
        first, second = unit(self._embed(texts, batch_size)), unit(self._embed(others, batch_size))
        return np.sum(first * second, -1)

    def search(
        self, queries: Any, texts: Any, top_k: int = 10, batch_size: int = 32, prompt: str | None = None
    ) -> list[list[dict]]:
        """The most similar texts for each query.

        Args:
            queries: strings [Q].
            texts: strings [N], or their vectors, float32 [N, D], as `embed` returns them.
            prompt: of the queries, as for `predict_text`.

        Returns:
            For each query a list of min(top_k, N) dicts {"index", "score", "text"}, the most similar first; without
            "text" where vectors were passed.
        """
        strings = None
        if isinstance(texts, np.ndarray) and texts.ndim == 2:
            vectors = texts
        else:
            vectors = self.embed(texts, batch_size)
            strings = list(texts)
        return most_similar(self.embed(queries, batch_size, prompt), vectors, top_k, strings)

    def score(self, texts: Any, targets: Any = None, batch_size: int = 64) -> dict[str, float]:
        """Metrics of (texts, others) with scores, of (queries, matches) without, or of (texts, near, far).

        Returns:
            {"pearson", "spearman"} of cosines and scores; {"recall@k", "mrr"} of finding a query's match among all
            matches; {"accuracy"}, the share of examples whose near text is nearer.

        Raises:
            InputError: there is one column of texts only, or a score is out of range; names the row.
        """
        if targets is not None and isinstance(texts, tuple) and len(texts) == 2:
            Preprocessor.encode_examples(self.preprocessor, texts, targets)  # checks scores for any objective
        return super().score(texts, targets, batch_size)

    def score_prepared(self, prepared: PreparedColumns, targets: Any = None, batch_size: int = 64) -> dict[str, float]:
        """As `score`, of columns of texts that `preprocessor.prepare_inference` tokenized."""
        if not isinstance(prepared, PreparedColumns):
            raise InputError("Received one column of texts. Give a tuple of two or three columns.")
        texts, *others = prepared.columns
        if len(others) == 2:
            near = self._similarity(texts, others[0], batch_size)
            far = self._similarity(texts, others[1], batch_size)
            return {"accuracy": float(np.mean(near > far))}
        if targets is not None:
            scores = self.preprocessor.encode_targets(targets)
            return correlations(scores, self._similarity(texts, others[0], batch_size))
        # Equal matches are one text to find, or the search would choose among copies of it.
        _, first, truth = np.unique(others[0].texts[0].numpy(), return_index=True, return_inverse=True)
        matches = self._embed(others[0].take(first), batch_size)
        return ranking_metrics(unit(self._embed(texts, batch_size)), unit(matches), truth)

    def task_settings(self) -> dict:
        """As `Task.task_settings`, with pooling, normalization, objective, highest score, and prompts if any."""
        set_ones = {name: getattr(self, name) for name in _SAVED_IF_SET if getattr(self, name)}
        return super().task_settings() | {name: getattr(self, name) for name in _SAVED} | set_ones

    @classmethod
    def saved_settings(cls, task: dict, source: Any) -> dict:
        """As `Task.saved_settings`, with pooling, normalization, objective, highest score and prompts."""
        return super().saved_settings(task, source) | select(task, (*_SAVED, *_SAVED_IF_SET))
