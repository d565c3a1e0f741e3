"""TFLite outputs of taggers."""

from bert_tf.export.tflite_outputs import TFLiteOutputs, softmax_probabilities
from bert_tf.tasks.tagging.task import TextTagger


def tflite_outputs(model: TextTagger) -> TFLiteOutputs:
    """Output "probabilities" [N, S, C]: of each token, of all tags."""
    del model
    return softmax_probabilities(per_token=True)
