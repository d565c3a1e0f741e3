"""TFLite outputs of text embedders."""

from bert_tf.export.tflite_outputs import TFLiteOutputs, named
from bert_tf.tasks.embedding.task import TextEmbedder


def tflite_outputs(model: TextEmbedder) -> TFLiteOutputs:
    """Output "embedding" [N, D]."""
    del model
    return named("embedding")
