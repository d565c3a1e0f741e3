"""TFLite outputs of a model that writes text."""

import dataclasses

from bert_tf.export.tflite_outputs import TFLiteOutputs, named
from bert_tf.tasks.generation.task import TextGenerator


def tflite_outputs(model: TextGenerator) -> TFLiteOutputs:
    """Output "logits" of the token after each token of a target, [N, T, V]; a file computes them step by step."""
    del model
    return dataclasses.replace(named("logits"), per_token=True)
