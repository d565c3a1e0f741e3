"""Vectors of windows to vectors of texts."""

import tensorflow as tf

from bert_tf.modeling.layers.pooling import normalize
from bert_tf.tasks.base import windows
from bert_tf.tasks.base.postprocessor import Postprocessor

# N texts, W windows, D hidden


class EmbeddingPostprocessor(Postprocessor):
    """The vector of a text; of a long text, the mean of its windows' vectors."""

    def __init__(self, normalize: bool):
        self.normalize = normalize

    def __call__(self, outputs: tf.Tensor, inputs: dict) -> dict:
        """{"embedding": float32 [N, D]} of vectors [N or W, D]."""
        vectors = windows.mean_of_texts(outputs, inputs)
        if self.normalize and windows.WINDOW_TEXTS in inputs:
            vectors = normalize(vectors)
        return {"embedding": vectors}
