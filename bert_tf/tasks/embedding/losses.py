"""Losses of sentence embeddings: scores of pairs, pairs among other pairs, triplets (Reimers and Gurevych 2019)."""

import keras
from keras import ops

from bert_tf.modeling.layers.pooling import normalize

# N rows, T texts of a row (2 of a pair, 3 with a negative), D dimensions


class CosineSimilarityLoss(keras.losses.Loss):
    """The squared difference of a pair's cosine similarity and its score [N] (section 3, regression objective)."""

    def call(self, y_true, y_pred):
        first, second = normalize(y_pred[:, 0]), normalize(y_pred[:, 1])  # [N, D]
        return ops.square(ops.sum(first * second, -1) - ops.reshape(ops.cast(y_true, "float32"), (-1,)))


class MultipleNegativesRankingLoss(keras.losses.Loss):
    """Multiple negatives ranking loss: the other rows of the batch are the negatives (Henderson et al. 2017, 4.4).

    Cross-entropy of each row's second text given its first, among the second and third texts of all rows. `y_true` [N]
    numbers the second texts: another copy of the right one is no negative. Similarities are cosines times `scale`.
    """

    def __init__(self, scale=20.0, name="multiple_negatives_ranking_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.scale = scale

    def call(self, y_true, y_pred):
        vectors = normalize(y_pred)  # [N, T, D]
        texts = ops.concatenate([vectors[:, i] for i in range(1, vectors.shape[1])])  # [N * (T - 1), D]
        logits = self.scale * ops.matmul(vectors[:, 0], ops.transpose(texts))  # [N, N * (T - 1)]
        numbers = ops.reshape(y_true, (-1,))
        count = ops.shape(numbers)[0]
        twice = ops.cast(ops.equal(numbers[:, None], numbers[None]), "float32") - ops.eye(count)  # [N, N]
        blank = ops.zeros((count, ops.shape(texts)[0] - count))
        logits = logits - 1e9 * ops.concatenate([twice, blank], 1)
        return keras.losses.sparse_categorical_crossentropy(ops.arange(count), logits, from_logits=True)


class TripletLoss(keras.losses.Loss):
    """Hinge loss: the third text should be `margin` further away than the second (section 3, triplet objective)."""

    def __init__(self, margin=1.0, name="triplet_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.margin = margin

    def call(self, y_true, y_pred):
        near, far = (_distance(y_pred[:, 0], y_pred[:, i]) for i in (1, 2))
        return ops.relu(near - far + self.margin)


def _distance(first, second):
    """Euclidean, [N]; never quite 0, where its gradient is not defined."""
    return ops.sqrt(ops.maximum(ops.sum(ops.square(first - second), -1), 1e-12))
