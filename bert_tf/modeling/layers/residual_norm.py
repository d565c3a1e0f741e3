"""Layer norm of a residual sum; in training with its dropout in as few passes over memory as possible."""

from typing import Any

import keras

from bert_tf.modeling.layers.dropout import Dropout
from bert_tf.modeling.ops.fused_ops import add_and_norm

# B batch, S sequence, D hidden


@keras.saving.register_keras_serializable("bert_tf")
class ResidualNorm(keras.layers.LayerNormalization):
    """Layer norm of residual + x, both [B, S, D]; in training x goes through `dropout` first, if given."""

    def call(self, x: Any, residual: Any, dropout: Dropout | None = None, training: bool | None = None) -> Any:
        """Layer norm of `residual` + `x`, [B, S, D] each; see the class."""
        if not training:
            return super().call(residual + x)
        mask_args = dropout.mask_args() if dropout else (None, 0, 1.0)
        return add_and_norm(x, residual, self.gamma, self.beta, self.epsilon, *mask_args)
