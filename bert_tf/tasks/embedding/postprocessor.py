"""Vectors of windows to vectors of texts."""

import tensorflow as tf

from bert_tf.modeling.layers.pooling import normalize
from bert_tf.tasks.base import windows
from bert_tf.tasks.base.postprocessor import Postprocessor

# N texts, W windows, D hidden

ANSWER = "embedding"  # name of the vectors


class EmbeddingPostprocessor(Postprocessor):
    """The vector of a text; of a long text, the mean of its windows' vectors.

    With `truncate_dim` only its first numbers are kept, as they are (Kusupati et al. 2022).
    """

    def __init__(self, normalize: bool, truncate_dim: int | None = None):
        self.normalize, self.truncate_dim = normalize, truncate_dim

    def __call__(self, outputs: tf.Tensor, inputs: dict) -> dict:
        """{"embedding": float32 [N, D or `truncate_dim`]} of vectors [N or W, D]."""
        vectors = windows.mean_of_texts(outputs, inputs)
        if self.normalize and windows.WINDOW_TEXTS in inputs:
            vectors = normalize(vectors)
        return {ANSWER: vectors[:, : self.truncate_dim]}
