"""The masked LM head."""

from typing import Any

import keras
from keras import ops

from bert_tf.modeling.layers.activations import get_activation
from bert_tf.modeling.layers.dense import dense

# B batch, P predictions, D hidden, V vocabulary


@keras.saving.register_keras_serializable("bert_tf")
class MaskedLMHead(keras.layers.Layer):
    """Scores every token of the vocabulary: [B, P, D] to float32 logits [B, P, V].

    A dense layer, layer norm, then the token embedding as output matrix (tied) and a bias of its own
    (google-research/bert, run_pretraining.py, get_masked_lm_output).
    """

    def __init__(
        self,
        hidden_size: int,
        vocab_size: int,
        activation: str,
        layer_norm_epsilon: float,
        initializer_range: float,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.hidden_size = hidden_size
        self.vocab_size = vocab_size
        self.transform = dense(hidden_size, initializer_range, dtype=self.dtype_policy, name="transform")
        self.activation = get_activation(activation)
        self.norm = keras.layers.LayerNormalization(epsilon=layer_norm_epsilon, dtype=self.dtype_policy, name="norm")

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables; the output matrix is not among them."""
        self.transform.build((None, None, self.hidden_size))
        self.norm.build((None, None, self.hidden_size))
        self.bias = self.add_weight(shape=(self.vocab_size,), initializer="zeros", name="bias")

    def call(self, x: Any, token_table: Any) -> Any:
        """`token_table` is the token embedding, [V, D]."""
        x = self.norm(self.activation(self.transform(x)))  # [B, P, D]
        logits = ops.matmul(x, ops.transpose(ops.cast(token_table, self.compute_dtype)))  # [B, P, V]
        return ops.cast(logits, "float32") + ops.cast(self.bias, "float32")
