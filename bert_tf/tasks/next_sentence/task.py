"""Tells whether one text follows another, with a pretrained model (Devlin et al. 2019, section 3.1)."""

from typing import Any

import keras
from keras import ops

from bert_tf.core import features
from bert_tf.tasks.base.preprocessor import Preprocessor
from bert_tf.tasks.base.pretrained_head_task import PretrainedHeadTask
from bert_tf.tasks.next_sentence import SPEC
from bert_tf.tasks.next_sentence.postprocessor import NextSentencePostprocessor

# N pairs


@keras.saving.register_keras_serializable("bert_tf")
class NextSentence(PretrainedHeadTask):
    """The next sentence head of a pretrained model: pairs of texts to float32 logits [N, 2]; class 0 is "next".

    Args:
        tokenizer: a `Tokenizer`.
        max_length: most tokens of a row; None: all positions of the encoder.
        encoder: the family's name, and the fields of its config.
    """

    SPEC = SPEC
    cls_only = True

    def __init__(self, tokenizer: Any, max_length: int | None = None, **encoder: Any):
        super().__init__(tokenizer, max_length, **encoder)
        self.preprocessor = Preprocessor(SPEC, tokenizer, self.max_length)
        self.postprocessor = NextSentencePostprocessor()
        self.next_sentence = self.make_head(2, "next_sentence")
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Creates the weights of the head."""
        self.next_sentence.build((None, self.config.hidden_size))

    def call(self, inputs: dict, training: bool | None = None) -> Any:
        """The encoder's inputs, int32 [N, S], to logits, float32 [N, 2]."""
        pooled = self.encoder(inputs, training=training, cls_only=self.cls_only)[features.POOLED_OUTPUT]
        return ops.cast(self.next_sentence(pooled), "float32")
