"""TFLite outputs of question answering."""

from bert_tf.export.tflite_outputs import TFLiteOutputs
from bert_tf.tasks.question_answering.task import QuestionAnswerer


def tflite_outputs(model: QuestionAnswerer) -> TFLiteOutputs:
    """Outputs "start_logits" and "end_logits" [N, S], as the model itself returns them."""
    del model
    return TFLiteOutputs(dict, dict, per_token=True)
