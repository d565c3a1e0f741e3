"""Texts as vectors whose cosine says how alike they are (Reimers and Gurevych 2019)."""

import numpy as np
import tensorflow as tf
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.layers.pooling import POOLINGS, normalize, pool
from bert_tf.modeling.train_step import global_mean
from bert_tf.tasks.base import windows
from bert_tf.tasks.base.batching import as_rows
from bert_tf.tasks.base.long_text_task import LongTextTask
from bert_tf.tasks.base.metrics import correlations, ranking_metrics
from bert_tf.tasks.classification.problem_types import encode_scores
from bert_tf.tasks.embedding.losses import CosineSimilarityLoss, MultipleNegativesRankingLoss, TripletLoss
from bert_tf.text.input_packing import pack

# N texts or rows, T texts a row in training, S sequence, D hidden, Q queries

# How it is trained: the loss, the texts a row, and the metric of the best model.
OBJECTIVES = {
    "similarity": (CosineSimilarityLoss, (2,), "spearman"),
    "contrastive": (MultipleNegativesRankingLoss, (2, 3), "mrr"),
    "triplet": (TripletLoss, (3,), "accuracy"),
}
_ROW = ("text", "text_pair", "negative")


class TextEmbedder(LongTextTask):
    """The encoder's vectors of all pieces, pooled: its inputs [N, S] to float32 vectors [N, D].

    It is trained on rows of two or three texts, inputs [N, T, S] to vectors [N, T, D]: `fit((texts, others), scores)`
    for "similarity"; `fit((texts, matches))` or `fit((texts, matches, others))` for "contrastive", where the other
    rows of the batch are what does not match; `fit((texts, near, far))` for "triplet".

    Args:
        tokenizer: a `Tokenizer`.
        pooling: "mean", "cls" or "max".
        normalize: whether vectors get length 1.
        max_length: pieces a row at most; None: 128, or all positions of a smaller encoder.
        objective: "similarity", "contrastive" or "triplet".
        max_score: the score of a pair of one meaning; scores of "similarity" are divided by it (5 for STS-B).
        encoder: the family's name and the fields of its config; `stride`, to read long texts whole (`LongTextTask`).
    """

    TASK = "embedding"
    SCORE = "spearman"  # of other objectives their own

    def __init__(
        self,
        tokenizer,
        pooling="mean",
        normalize=True,
        max_length=None,
        objective="similarity",
        max_score=1.0,
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

    def encode_texts(self, texts, training=False):
        """Texts, or the two or three columns of training rows, as a tuple of string tensors [N]."""
        texts = texts if isinstance(texts, tuple) else (texts,)
        allowed = OBJECTIVES[self.objective][1] if training else (1, 2, 3)
        if len(texts) not in allowed:
            raise InputError(
                f"Received {len(texts)} text(s) a row. objective={self.objective!r} needs a tuple of "
                f"{' or '.join(map(str, allowed))} columns."
            )
        return as_rows(texts, _ROW, _ROW if training else ())

    def preprocess(self, texts, length=None):
        """A column of texts to the encoder's inputs [N, S], T > 1 columns to [N, T, S]; TensorFlow ops only."""
        texts = texts if isinstance(texts, tuple) else (texts,)
        inputs = pack(self.tokenizer, [tf.concat(texts, 0)], self.max_length, length)
        if len(texts) == 1:
            return inputs
        columns = {name: tf.reshape(value, [len(texts), -1, tf.shape(value)[1]]) for name, value in inputs.items()}
        return {name: tf.transpose(value, [1, 0, 2]) for name, value in columns.items()}

    def encode_pairs(self, texts, targets):
        """As the base's; without scores, the second texts are numbered."""
        if self.objective == "similarity":
            return super().encode_pairs(texts, targets)
        texts = self.encode_texts(texts, training=True)
        return texts, np.unique(texts[1].numpy(), return_inverse=True)[1].astype("int32")

    def encode_targets(self, targets):
        """Scores from 0 to `max_score` to float32 [N], the highest 1; others raise `InputError` with the row."""
        scores = encode_scores(targets) / self.max_score
        if len(strange := np.flatnonzero((scores < 0) | (scores > 1))):
            row = strange[0]
            raise InputError(f"Row {row} has the score {targets[row]}. Scores are from 0 to {self.max_score:g}.")
        return scores

    def dataset(self, texts, targets=None, *args, **kwargs):
        """As the base's; columns of texts are rows to learn from, also where the objective needs no scores."""
        if targets is None and isinstance(texts, tuple) and self.objective != "similarity":
            targets = ()
        return super().dataset(texts, targets, *args, **kwargs)

    def default_loss(self):
        return global_mean(OBJECTIVES[self.objective][0]())

    def default_metrics(self):
        return []

    def postprocess(self, outputs, inputs):
        """{"embedding": float32 [N, D]}."""
        del inputs
        return {"embedding": outputs}

    def inference_inputs(self, texts):
        return super().inference_inputs(texts) if len(texts) == 1 else self.preprocess(texts)

    def put_together(self, outputs, inputs):
        vectors = windows.mean(outputs, inputs)
        return normalize(vectors) if self.normalize else vectors

    def embed(self, texts, batch_size=32):
        """Vectors of N texts, float32 array [N, D]."""
        texts = as_rows((texts,), _ROW)
        vectors = np.zeros((texts[0].shape[0], self.config.hidden_size), "float32")
        for numbers, answers in self._predict_batches(texts, batch_size):
            vectors[numbers] = answers["embedding"]
        return vectors

    def similarity(self, texts, others, batch_size=32):
        """How alike the texts of each pair are: cosines, float32 [N]."""
        texts, others = as_rows((texts, others), _ROW)
        first, second = (_unit(self.embed(column, batch_size)) for column in (texts, others))
        return np.sum(first * second, -1)

    def search(self, queries, texts, top_k=10, batch_size=32):
        """The texts most like each of the queries.

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

    def score(self, texts, targets=None, batch_size=64):
        """Metrics of (texts, others) with scores, of (queries, matches) without, or of (texts, near, far).

        Returns:
            {"pearson", "spearman"} of cosines and scores; {"recall@k", "mrr"} of finding a query's match among all
            matches; {"accuracy"}, how often the near text is nearer.
        """
        texts = self.encode_texts(texts)
        if len(texts) == 3:
            near, far = (self.similarity(texts[0], texts[i], batch_size) for i in (1, 2))
            return {"accuracy": float(np.mean(near > far))}
        if targets is not None:
            _, scores = super().encode_pairs(texts, targets)
            return correlations(scores, self.similarity(*texts, batch_size))
        matches, truth = np.unique(texts[1].numpy(), return_inverse=True)
        return ranking_metrics(_unit(self.embed(texts[0])), _unit(self.embed(matches)), truth)

    def task_settings(self):
        names = ("pooling", "normalize", "objective", "max_score")
        return super().task_settings() | {name: getattr(self, name) for name in names}

    @classmethod
    def saved_settings(cls, task, source):
        names = ("pooling", "normalize", "objective", "max_score")
        return super().saved_settings(task, source) | {name: task[name] for name in names if name in task}


def _unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
