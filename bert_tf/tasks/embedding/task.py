"""Sentence embeddings, compared by cosine similarity (Reimers and Gurevych 2019)."""

from typing import Any

import numpy as np
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.layers.pooling import POOLINGS, normalize, pool
from bert_tf.modeling.train_step import global_mean
from bert_tf.tasks.base.long_text_task import LongTextTask
from bert_tf.tasks.base.metrics import correlations, ranking_metrics
from bert_tf.tasks.base.prepared import PreparedColumns, PreparedExamples
from bert_tf.tasks.base.preprocessor import Preprocessor
from bert_tf.tasks.embedding import SPEC
from bert_tf.tasks.embedding.losses import CosineSimilarityLoss, MultipleNegativesRankingLoss, TripletLoss
from bert_tf.tasks.embedding.postprocessor import EmbeddingPostprocessor
from bert_tf.tasks.embedding.preprocessor import EmbeddingPreprocessor

# N texts or rows, T texts a row in training, S sequence, D hidden, Q queries

# By objective: the loss, the texts of an example, and the metric that selects the best model.
OBJECTIVES = {
    "similarity": (CosineSimilarityLoss, (2,), "spearman"),
    "contrastive": (MultipleNegativesRankingLoss, (2, 3), "mrr"),
    "triplet": (TripletLoss, (3,), "accuracy"),
}


class TextEmbedder(LongTextTask):
    """The encoder's token vectors, pooled: its inputs [N, S] to float32 vectors [N, D].

    It is trained on rows of two or three texts, inputs [N, T, S] to vectors [N, T, D]: `fit((texts, others), scores)`
    for "similarity"; `fit((texts, matches))` or `fit((texts, matches, others))` for "contrastive", where the other
    rows of the batch are the negatives; `fit((texts, near, far))` for "triplet".

    Args:
        tokenizer: a `Tokenizer`.
        pooling: "mean", "cls" or "max".
        normalize: whether vectors get length 1.
        max_length: most tokens of a row; None: 128, or all positions of a smaller encoder.
        objective: "similarity", "contrastive" or "triplet".
        max_score: the score of a pair of one meaning; scores of "similarity" are divided by it (5 for STS-B).
        encoder: the family's name and the fields of its config; `stride`, to read long texts whole (`LongTextTask`).
    """

    SPEC = SPEC
    SCORE = "spearman"  # of other objectives their own

    def __init__(
        self,
        tokenizer,
        pooling="mean",
        normalize=True,
        max_length=None,
        objective="similarity",
        max_score=1.0,
        stride=None,
        **encoder,
    ):
        super().__init__(tokenizer, max_length, **encoder)
        if pooling not in POOLINGS:
            raise ConfigError(f"Received: pooling={pooling!r}. Choose from {', '.join(POOLINGS)}.")
        if objective not in OBJECTIVES:
            raise ConfigError(f"Received: objective={objective!r}. Choose from {', '.join(OBJECTIVES)}.")
        if not max_score > 0:
            raise ConfigError(f"Received: max_score={max_score}. It must be above 0.")
        self.pooling, self.normalize, self.objective, self.max_score = pooling, normalize, objective, max_score
        self.SCORE = OBJECTIVES[objective][2]
        self.preprocessor = EmbeddingPreprocessor(
            SPEC, tokenizer, self.max_length, stride, objective, OBJECTIVES[objective][1], max_score
        )
        self.postprocessor = EmbeddingPostprocessor(normalize)
        self.cls_only = pooling == "cls"
        self.leave_pooler()
        self.build()

    def build(self, input_shape=None):
        self.built = True  # the encoder is, and there is nothing else

    def call(self, inputs, training=None):
        mask = inputs[features.INPUT_MASK]
        rows = {name: ops.reshape(inputs[name], (-1, ops.shape(mask)[-1])) for name in features.ENCODER_INPUTS}
        outputs = self.encoder(rows, training=training, cls_only=self.cls_only)
        vectors = pool(outputs[features.SEQUENCE_OUTPUT], rows[features.INPUT_MASK], self.pooling)
        vectors = normalize(vectors) if self.normalize else vectors
        return ops.reshape(vectors, (*ops.shape(mask)[:-1], self.config.hidden_size))

    def default_loss(self):
        return global_mean(OBJECTIVES[self.objective][0]())

    def default_metrics(self):
        return []

    def predict_prepared(self, prepared: PreparedExamples | PreparedColumns, batch_size: int = 32) -> list[dict]:
        """As `Task`'s; of T columns an embedding is [T, D]."""
        if isinstance(prepared, PreparedExamples):
            return super().predict_prepared(prepared, batch_size)
        vectors = np.stack([self._embed(column, batch_size) for column in prepared.columns], 1)
        return [{"embedding": row.tolist()} for row in vectors]

    def embed(self, texts: Any, batch_size: int = 32) -> np.ndarray:
        """Vectors of N texts, float32 [N, D]."""
        return self._embed(self.preprocessor.prepare_inference((texts,)), batch_size)

    def _embed(self, prepared: PreparedExamples, batch_size: int) -> np.ndarray:
        vectors = np.zeros((len(prepared), self.config.hidden_size), "float32")
        for numbers, answers in self._predict_batches(prepared, batch_size):
            vectors[numbers] = answers["embedding"]
        return vectors

    def similarity(self, texts: Any, others: Any, batch_size: int = 32) -> np.ndarray:
        """Cosine similarities of N pairs of texts, float32 [N]."""
        first, second = self.preprocessor.prepare_inference((texts, others)).columns
        return self._similarity(first, second, batch_size)

    def _similarity(self, texts: PreparedExamples, others: PreparedExamples, batch_size: int) -> np.ndarray:
        first, second = (_unit(self._embed(column, batch_size)) for column in (texts, others))
        return np.sum(first * second, -1)

    def search(self, queries, texts, top_k=10, batch_size=32):
        """The most similar texts for each query.

        Args:
            queries: strings [Q].
            texts: strings [N], or their vectors [N, D] as `embed` gives them.

        Returns:
            For each query a list of min(top_k, N) dicts {"index", "score", "text"}, the most similar first; without
            "text" where vectors were given.
        """
        given = isinstance(texts, np.ndarray) and texts.ndim == 2
        vectors = _unit(texts if given else self.embed(texts, batch_size))
        found = []
        for query in _unit(self.embed(queries, batch_size)):
            scores = vectors @ query  # [N]
            best = np.argsort(-scores, kind="stable")[:top_k]
            found.append([{"index": int(i), "score": float(scores[i])} for i in best])
        if not given:
            texts = list(texts)
            found = [[match | {"text": texts[match["index"]]} for match in matches] for matches in found]
        return found

    def score(self, texts: Any, targets: Any = None, batch_size: int = 64) -> dict[str, float]:
        """Metrics of (texts, others) with scores, of (queries, matches) without, or of (texts, near, far).

        Returns:
            {"pearson", "spearman"} of cosines and scores; {"recall@k", "mrr"} of finding a query's match among all
            matches; {"accuracy"}, how often the near text is nearer.
        """
        if targets is not None and isinstance(texts, tuple) and len(texts) == 2:
            Preprocessor.encode_examples(self.preprocessor, texts, targets)  # scores, whatever the objective is
        return super().score(texts, targets, batch_size)

    def score_prepared(self, prepared: PreparedColumns, targets: Any = None, batch_size: int = 64) -> dict[str, float]:
        if not isinstance(prepared, PreparedColumns):
            raise InputError("Received one column of texts. Give a tuple of two or three columns.")
        texts, *others = prepared.columns
        if len(others) == 2:
            near, far = (self._similarity(texts, column, batch_size) for column in others)
            return {"accuracy": float(np.mean(near > far))}
        if targets is not None:
            scores = self.preprocessor.encode_targets(targets)
            return correlations(scores, self._similarity(texts, others[0], batch_size))
        _, first, truth = np.unique(others[0].texts[0].numpy(), return_index=True, return_inverse=True)
        matches = self._embed(others[0].take(first), batch_size)
        return ranking_metrics(_unit(self._embed(texts, batch_size)), _unit(matches), truth)

    def task_settings(self):
        names = ("pooling", "normalize", "objective", "max_score")
        return super().task_settings() | {name: getattr(self, name) for name in names}

    @classmethod
    def saved_settings(cls, task, source):
        names = ("pooling", "normalize", "objective", "max_score")
        return super().saved_settings(task, source) | {name: task[name] for name in names if name in task}


def _unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
