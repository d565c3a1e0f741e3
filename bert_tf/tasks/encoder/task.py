"""Texts to the vectors of a pretrained encoder."""

from typing import Any, Self

import keras
import tensorflow as tf
from keras import ops

from bert_tf.core import features
from bert_tf.tasks.base.postprocessor import Postprocessor
from bert_tf.tasks.base.preprocessor import Preprocessor
from bert_tf.tasks.base.task import Task
from bert_tf.tasks.encoder import SPEC

# N texts, S tokens, D hidden


@keras.saving.register_keras_serializable("bert_tf")
class TextEncoder(Task):
    """An encoder between a tokenizer and its own outputs: `sequence_output` [N, S, D] and `pooled_output` [N, D].

    Args:
        tokenizer: a `Tokenizer`.
        max_length: most tokens of a row; None: all positions of the encoder. Longer texts are cut.
        pools: whether there is a `pooled_output`; a checkpoint without the pooler's weights has none.
        encoder: the family's name, and the fields of its config.
    """

    SPEC = SPEC
    LENGTH = None  # all positions
    head_settings = ("pools",)

    def __init__(self, tokenizer: Any, max_length: int | None = None, pools: bool = True, **encoder: Any):
        super().__init__(tokenizer, max_length, **encoder)
        self.pools = pools
        self.encoder.read_pooler(pools)
        self.preprocessor = Preprocessor(SPEC, tokenizer, self.max_length)
        self.postprocessor = Postprocessor()
        self.build()

    @classmethod
    def from_checkpoint(cls, checkpoint: Any, source: Any, dtype: Any = None, **settings: Any) -> Self:
        """As `Task.from_checkpoint`; heads of the checkpoint are left out."""
        model = super().from_checkpoint(checkpoint, source, dtype, **settings)
        pooler = [name for name in model.named_weights if name.startswith("encoder/pooler/")]
        model.pools = model.pools and all(name in checkpoint.weights for name in pooler)
        model.encoder.read_pooler(model.pools)
        return model

    def build(self, input_shape: Any = None) -> None:
        """Marks the model as built: all its weights are the encoder's."""
        self.built = True

    def call(self, inputs: dict, training: bool | None = None) -> dict[str, Any]:
        """The encoder's inputs, int32 [N, S], to its outputs in float32."""
        outputs = self.encoder(inputs, training=training)
        names = [features.SEQUENCE_OUTPUT, *([features.POOLED_OUTPUT] if self.pools else [])]
        return {name: ops.cast(outputs[name], "float32") for name in names}

    def predict_inputs(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """As `call`: the outputs are the answers."""
        return self({name: inputs[name] for name in self.INPUTS}, training=False)

    def serve(self, *texts: tf.Tensor) -> dict[str, tf.Tensor]:
        """As `Task.serve`, with `input_mask`, int32 [N, S]: 0 for vectors of padding."""
        inputs = self.inference_inputs(texts)
        return self.predict_in_graph(inputs) | {features.INPUT_MASK: inputs[features.INPUT_MASK]}

    def save_pretrained(self, folder: Any, overwrite: bool = False) -> None:
        """Writes the encoder's model folder, which names no task."""
        self.encoder.save_pretrained(folder, self.tokenizer, overwrite=overwrite)
