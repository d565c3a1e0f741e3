"""Layer norm of a sum, in training with its dropout in as few passes over memory as can be."""

import keras

from bert_tf.modeling.ops.fused_ops import add_and_norm


class ResidualNorm(keras.layers.LayerNormalization):
    """Layer norm of residual + x, both [B, S, D]; in training `dropout`, where there is one, acts on x before."""

    def call(self, x, residual, dropout=None, training=None):
        if not training:
            return super().call(residual + x)
        dropping = dropout.dropping() if dropout else (None, 0, 1.0)
        return add_and_norm(x, residual, self.gamma, self.beta, self.epsilon, *dropping)
