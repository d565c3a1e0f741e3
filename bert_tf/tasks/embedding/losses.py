"""Losses of sentence embeddings: scores of pairs, pairs among other pairs, triplets (Reimers and Gurevych 2019)."""

from typing import Any

import keras
from keras import ops

from bert_tf.modeling.layers.pooling import normalize

# N examples, T texts of an example (2 of a pair, 3 with a negative), D dimensions


@keras.saving.register_keras_serializable("bert_tf")
class CosineSimilarityLoss(keras.losses.Loss):
    """The squared difference of a pair's cosine similarity and its score [N] (section 3, regression objective)."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Scores [N] and vectors [N, 2, D] to losses [N]."""
        first, second = normalize(y_pred[:, 0]), normalize(y_pred[:, 1])  # [N, D]
        return ops.square(ops.sum(first * second, -1) - ops.reshape(ops.cast(y_true, "float32"), (-1,)))


@keras.saving.register_keras_serializable("bert_tf")
class MultipleNegativesRankingLoss(keras.losses.Loss):
    """Multiple negatives ranking loss: the other rows of the batch are the negatives (Henderson et al. 2017, 4.4).

    Cross-entropy of finding the second text of an example by its first, among the second and third texts of all
    examples. `y_true` [N] numbers the distinct second texts: other copies of the right text are masked out, because
    they are not wrong.

    Args:
        scale: factor of the cosine similarities.
    """

    def __init__(self, scale: float = 20.0, name: str = "multiple_negatives_ranking_loss", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.scale = scale

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Numbers of the second texts [N] and vectors [N, T, D] to losses [N]."""
        vectors = normalize(y_pred)  # [N, T, D]
        texts = ops.concatenate([vectors[:, i] for i in range(1, vectors.shape[1])])  # [N * (T - 1), D]
        logits = self.scale * ops.matmul(vectors[:, 0], ops.transpose(texts))  # [N, N * (T - 1)]
        copies = _copies(ops.reshape(y_true, (-1,)))  # [N, N]
        count = ops.shape(copies)[0]
        blank = ops.zeros((count, ops.shape(texts)[0] - count))  # third texts are always negatives
        return _find_own(logits - 1e9 * ops.concatenate([copies, blank], 1))


@keras.saving.register_keras_serializable("bert_tf")
class SymmetricContrastiveLoss(keras.losses.Loss):
    """Symmetric InfoNCE of two views of each example, text and picture (Radford et al. 2021, figure 3).

    The mean of two cross-entropies, of finding the second view of an example by its first among those of the batch, and
    the first by the second. `y_true` [N, 2] numbers the distinct views: an example that shares one with the right
    example is masked out, because it is not wrong.
    """

    def __init__(self, name: str = "symmetric_contrastive_loss", **kwargs: Any):
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Numbers of the views [N, 2] and vectors whose products are logits, [N, 2, D], to losses [N]."""
        logits = ops.matmul(y_pred[:, 0], ops.transpose(y_pred[:, 1]))  # [N, N]
        copies = ops.maximum(_copies(y_true[:, 0]), _copies(y_true[:, 1]))  # [N, N]
        logits = logits - 1e9 * copies
        return (_find_own(logits) + _find_own(ops.transpose(logits))) / 2.0


@keras.saving.register_keras_serializable("bert_tf")
class TripletLoss(keras.losses.Loss):
    """Hinge loss: the third text should be `margin` further away than the second (section 3, triplet objective).

    Args:
        margin: least difference of the Euclidean distances that has no loss.
    """

    def __init__(self, margin: float = 1.0, name: str = "triplet_loss", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.margin = margin

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Vectors [N, 3, D] to losses [N]; `y_true` is ignored."""
        near = _distance(y_pred[:, 0], y_pred[:, 1])  # [N]
        far = _distance(y_pred[:, 0], y_pred[:, 2])  # [N]
        return ops.relu(near - far + self.margin)


def _copies(numbers: Any) -> Any:
    """1 where another example has the same number, float32 [N, N] of numbers [N]."""
    same = ops.cast(ops.equal(numbers[:, None], numbers[None]), "float32")
    return same - ops.eye(ops.shape(numbers)[0])


def _find_own(logits: Any) -> Any:
    """Cross-entropy [N] of column i for row i of logits [N, at least N]."""
    right = ops.arange(ops.shape(logits)[0])
    return keras.losses.sparse_categorical_crossentropy(right, logits, from_logits=True)


def _distance(first: Any, second: Any) -> Any:
    """Euclidean distances [N]; at least 1e-6, because the gradient of the square root is infinite at 0."""
    return ops.sqrt(ops.maximum(ops.sum(ops.square(first - second), -1), 1e-12))
