"""The heads of pretraining on tokens."""

from typing import Any

import keras
from keras import ops

from bert_tf.modeling.layers.activations import get_activation
from bert_tf.modeling.layers.dense import dense

# B batch, S sequence, P predictions, D hidden, E embedding, V vocabulary


def masked_lm_head(encoder: Any, activation: str | None = None, epsilon: float | None = None) -> "MaskedLMHead":
    """The head for an encoder; None: the activation and epsilon of the encoder."""
    config = encoder.config
    return MaskedLMHead(
        config.hidden_size,
        config.embedding_size,
        config.vocab_size,
        activation or config.activation,
        epsilon or config.layer_norm_epsilon,
        config.initializer_range,
        transforms=not encoder.has_token_head,
        dtype=encoder.dtype_policy,
        name="masked_lm",
    )


@keras.saving.register_keras_serializable("bert_tf")
class MaskedLMHead(keras.layers.Layer):
    """Scores every token of the vocabulary: [B, P, D] to float32 logits [B, P, V].

    A dense layer, layer norm, then the token embedding as output matrix (tied) and a bias of its own
    (google-research/bert, run_pretraining.py, get_masked_lm_output).

    Args:
        hidden_size: D.
        embedding_size: E, to which the dense layer brings the vectors.
        transforms: whether the dense layer and the norm are the head's own; else the vectors come from the encoder's.
    """

    def __init__(
        self,
        hidden_size: int,
        embedding_size: int,
        vocab_size: int,
        activation: str,
        layer_norm_epsilon: float,
        initializer_range: float,
        transforms: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.transforms = transforms
        self.hidden_size = hidden_size
        self.embedding_size = embedding_size
        self.vocab_size = vocab_size
        if transforms:
            policy = self.dtype_policy
            self.transform = dense(embedding_size, initializer_range, dtype=policy, name="transform")
            self.activation = get_activation(activation)
            self.norm = keras.layers.LayerNormalization(epsilon=layer_norm_epsilon, dtype=policy, name="norm")

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables; the output matrix is not among them."""
        if self.transforms:
            self.transform.build((None, None, self.hidden_size))
            self.norm.build((None, None, self.embedding_size))
        self.bias = self.add_weight(shape=(self.vocab_size,), initializer="zeros", name="bias")

    def call(self, x: Any, token_table: Any) -> Any:
        """`token_table` is the token embedding, [V, E]."""
        return self.logits(x, self.output_matrix(token_table))

    def output_matrix(self, token_table: Any) -> Any:
        """The output matrix [E, V] of the token embedding [V, E], for many calls of `logits`."""
        return ops.transpose(ops.cast(token_table, self.compute_dtype))

    def logits(self, x: Any, matrix: Any) -> Any:
        """As `call`, with the result of `output_matrix`."""
        if self.transforms:
            x = self.norm(self.activation(self.transform(x)))  # [B, P, E]
        logits = ops.matmul(x, matrix)  # [B, P, V]
        return ops.cast(logits, "float32") + ops.cast(self.bias, "float32")


@keras.saving.register_keras_serializable("bert_tf")
class ReplacedTokenHead(keras.layers.Layer):
    """Tells replaced tokens from original ones: [B, S, D] to float32 logits [B, S], above 0 for replaced.

    A dense layer with the encoder's activation, then one score per token (google-research/electra, pretrain.py).
    """

    def __init__(self, hidden_size: int, activation: str, initializer_range: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.hidden_size = hidden_size
        policy = self.dtype_policy
        self.transform = dense(hidden_size, initializer_range, dtype=policy, name="transform")
        self.activation = get_activation(activation)
        self.output_dense = dense(1, initializer_range, dtype=policy, name="output")

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables."""
        for layer in (self.transform, self.output_dense):
            layer.build((None, None, self.hidden_size))

    def call(self, x: Any) -> Any:
        """[B, S, D] to [B, S]."""
        x = self.activation(self.transform(x))  # [B, S, D]
        return ops.cast(self.output_dense(x)[..., 0], "float32")
