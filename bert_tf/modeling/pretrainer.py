"""An encoder of any family with the heads of masked LM and of pairs of sentences."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from bert_tf.core import features
from bert_tf.modeling.families.transformer import TransformerEncoder
from bert_tf.modeling.layers.dense import dense
from bert_tf.modeling.layers.heads import masked_lm_head
from bert_tf.modeling.layers.pooling import gather_positions
from bert_tf.modeling.ops.cross_entropy import Accuracy, SparseCrossEntropy
from bert_tf.modeling.pretrained import Pretrained, unique_name
from bert_tf.modeling.train_step import GlobalMean

# B batch, S sequence, E examples of a packed row, P predictions, D hidden, V vocabulary


@keras.saving.register_keras_serializable("bert_tf")
class BertPretrainer(Pretrained, keras.Model):
    """Masked LM and, if pairs of segments are told apart, next sentence prediction (Devlin et al. 2019, section 3.1).

    Inputs are those of the encoder and `masked_lm_positions` [B, P]. Outputs are those of the encoder (in training
    "sequence_output" is [B, P, D], of these positions alone) and float32 logits: "masked_lm_logits" [B, P, V] and
    "next_sentence_logits" [B, 2] (0 = really next, or for sentence order as in the text), or [B, E, 2] for packed rows.

    Args:
        masked_lm_activation, masked_lm_epsilon: of the masked LM head, which some projects give other values than the
            encoder; None: those of the encoder.
        next_sentence: whether there is a head for pairs, of next sentences or sentence order; without it the pooler
            is frozen unless the masked LM reads it.
        encoder: name of the encoder's family; or an encoder.
        settings: the fields of that family's config.
    """

    head_settings = ("masked_lm_activation", "masked_lm_epsilon")

    def __init__(
        self,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        masked_lm_activation: str | None = None,
        masked_lm_epsilon: float | None = None,
        next_sentence: bool = True,
        encoder: Any = "bert",
        **settings: Any,
    ):
        super().__init__(name=name or unique_name("pretrainer"), dtype=dtype, trainable=trainable)
        self.masked_lm_activation = masked_lm_activation
        self.masked_lm_epsilon = masked_lm_epsilon
        self.encoder = self.make_encoder(encoder, settings)
        self.config = config = self.encoder.config
        self.masked_lm = masked_lm_head(self.encoder, masked_lm_activation, masked_lm_epsilon)
        self.next_sentence = None
        if next_sentence:
            self.next_sentence = dense(2, config.initializer_range, dtype=self.dtype_policy, name="next_sentence")
        else:
            self.encoder.read_pooler(self.encoder.has_token_head)
        self.build()

    @staticmethod
    def supports(family: Any) -> bool:
        """Whether encoders of an `EncoderFamily` compute what masked LM reads."""
        return issubclass(family.encoder, TransformerEncoder)

    def build(self, input_shape: Any = None) -> None:
        """Makes the heads' variables; their shapes do not depend on the inputs."""
        self.masked_lm.build()
        if self.next_sentence:
            self.next_sentence.build((None, self.config.hidden_size))

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor, for Keras's serialization."""
        head = {"masked_lm_activation": self.masked_lm_activation, "masked_lm_epsilon": self.masked_lm_epsilon}
        return super().get_config() | head | {"next_sentence": self.next_sentence is not None}

    def example_inputs(self) -> dict[str, keras.KerasTensor]:
        """As `Pretrained.example_inputs`, with the positions, int32 [B, P]."""
        name = features.MASKED_LM_POSITIONS
        return super().example_inputs() | {name: keras.KerasTensor((None, None), "int32", name=name)}

    def call(
        self, inputs: Mapping[str, Any], training: bool | None = None, all_outputs: bool = False
    ) -> dict[str, Any]:
        """The outputs for a batch; inputs and outputs are described at the class."""
        positions = inputs[features.MASKED_LM_POSITIONS]  # [B, P]
        if training and not all_outputs and not self.encoder.is_recording:
            # The loss needs no other vectors, so that the last block computes only these.
            outputs = self.encoder(inputs, training=training, all_outputs=all_outputs, positions=positions)
            x = outputs[features.SEQUENCE_OUTPUT]  # [B, P, D]
        else:
            outputs = self.encoder(inputs, training=training, all_outputs=all_outputs)
            x = gather_positions(outputs[features.SEQUENCE_OUTPUT], positions)  # [B, S, D] to [B, P, D]
        outputs[features.MASKED_LM_LOGITS] = self.masked_lm(
            self.encoder.head_vectors(x), self.encoder.embeddings.token.embeddings
        )
        if self.next_sentence:
            next_sentence = self.next_sentence(outputs[features.POOLED_OUTPUT])  # [B, 2] or [B, E, 2]
            outputs[features.NEXT_SENTENCE_LOGITS] = ops.cast(next_sentence, "float32")
        return outputs

    def compile(
        self, optimizer: Any, loss: Any = None, weighted_metrics: Any = None, next_sentence: bool = True, **kwargs: Any
    ) -> None:
        """As Keras's; by default both losses, averaged over real predictions, and both accuracies.

        `next_sentence=False` is for batches that have targets of the masked LM alone (the records' objective "none").
        """
        losses, metrics = self.losses_and_metrics(next_sentence)
        super().compile(optimizer, loss=loss or losses, weighted_metrics=weighted_metrics or metrics, **kwargs)

    def losses_and_metrics(self, next_sentence: bool = True) -> tuple[dict[str, Any], dict[str, list[Any]]]:
        """New losses and metrics of the outputs that are learned, by their names; `next_sentence` as for `compile`."""
        outputs = [features.MASKED_LM_LOGITS]
        if next_sentence and self.next_sentence:
            outputs.append(features.NEXT_SENTENCE_LOGITS)
        losses, metrics = {}, {}
        for name in outputs:
            losses[name] = GlobalMean(SparseCrossEntropy())
            metrics[name] = [Accuracy()]
        return losses, metrics

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """As Keras's, for the outputs that have targets."""
        # Keras looks for a target of every output; the encoder's outputs have none.
        return super().compute_metrics(x, y, {name: y_pred[name] for name in y}, sample_weight)
