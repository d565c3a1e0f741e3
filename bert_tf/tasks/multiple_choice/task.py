"""Multiple choice with one score for each ending (Zellers et al. 2018; Devlin et al. 2019, section 4.4)."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from bert_tf.core import features
from bert_tf.modeling.train_step import GlobalMean
from bert_tf.tasks.base.task import Task
from bert_tf.tasks.multiple_choice import SPEC
from bert_tf.tasks.multiple_choice.postprocessor import MultipleChoicePostprocessor
from bert_tf.tasks.multiple_choice.preprocessor import MultipleChoicePreprocessor

# N examples, E endings, S positions of a row, D hidden

_NEVER = -1e9  # the logit of an ending that is not there


@keras.saving.register_keras_serializable("bert_tf")
class MultipleChoice(Task):
    """One dense unit over the pooled vector of each pair: inputs [N, E, S] to float32 logits [N, E].

    Texts are a tuple of contexts [N] and lists of endings, targets the places of the right endings from 0:
    `fit((contexts, endings), places)`.

    Args:
        tokenizer: a `Tokenizer`.
        max_length: tokens of a row at most; None: 128, or all positions of a smaller encoder.
        encoder: the family's name and the fields of its config.
    """

    SPEC = SPEC
    SCORE = "accuracy"
    cls_only = True

    def __init__(self, tokenizer: Any, max_length: int | None = None, **encoder: Any):
        super().__init__(tokenizer, max_length, **encoder)
        self.preprocessor = MultipleChoicePreprocessor(SPEC, tokenizer, self.max_length)
        self.postprocessor = MultipleChoicePostprocessor()
        self.dropout = keras.layers.Dropout(self.config.hidden_dropout, dtype=self.dtype_policy)
        self.classifier = self.make_head(1, "classifier")
        self.build()

    def build(self, input_shape: Any = None) -> None:
        self.classifier.build((None, self.config.hidden_size))

    def call(self, inputs: dict, training: bool | None = None) -> Any:
        mask = inputs[features.INPUT_MASK]  # [N, E, S]
        rows = self.flat_rows(inputs)
        pooled = self.encoder(rows, training=training, cls_only=True)[features.POOLED_OUTPUT]  # [N * E, D]
        logits = ops.cast(self.classifier(self.dropout(pooled, training=training)), "float32")  # [N * E, 1]
        return ops.where(ops.any(mask > 0, -1), ops.reshape(logits, ops.shape(mask)[:2]), _NEVER)  # [N, E]

    def default_loss(self) -> Any:
        return GlobalMean(keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def default_metrics(self) -> list:
        return ["accuracy"]

    def text_specs(self) -> dict[str, tf.TensorSpec]:
        context, endings = self.TEXTS
        return {
            context: tf.TensorSpec([None], tf.string, name=context),
            endings: tf.TensorSpec([None, None], tf.string, name=endings),
        }

    def token_specs(self) -> dict[str, tf.TensorSpec]:
        return {name: tf.TensorSpec([None, None, None], tf.int32, name=name) for name in features.ENCODER_INPUTS}
