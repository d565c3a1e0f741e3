"""Norms of each example's gradient, and sums of scaled ones, without a gradient for each example in memory.

A layer's part of an example's gradient follows from the inputs of the layer and the gradients of its outputs, for which
one backward pass over the batch is enough. Norms of products are found by the inner products of positions ("ghost
norms", Li et al. 2022, section 4; Goodfellow 2015), or from the products where these are smaller (Bu et al. 2022); the
scaled sum is then a single product (Bu et al. 2023, "book-keeping").
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.layer_changes import calls_replaced
from bert_tf.modeling.layers.embeddings import SegmentEmbedding
from bert_tf.modeling.ops.fused_ops import dropout as drop

_ALLOWED, _ROUNDING = 0.2, 1e-3  # errors of a gradient, relative to itself and to all; 16 bits are not exact

# B examples, R rows (one or several for each example), T positions of all rows of an example and all calls of a layer,
# I inputs, O outputs, V rows of a table


class LayerUses:
    """All calls of one layer in a forward pass: what went into it and came out.

    Args:
        layer: with trainable weights of its own.
        ghosts: the `GhostNorms` that this is part of.

    Attributes:
        inputs, outputs: of each call. The outputs are those whose gradients are needed.
    """

    weights: tuple[str, ...] = ()  # names of the layer's attributes that it knows the gradients of

    def __init__(self, layer: keras.layers.Layer, ghosts: "GhostNorms"):
        self.layer, self.ghosts, self.plain = layer, ghosts, layer.call
        self.inputs: list[tf.Tensor] = []
        self.outputs: list[tf.Tensor] = []

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Computes as the layer's `call`, and keeps inputs and outputs."""
        raise NotImplementedError

    def squares(self, inputs: tf.Tensor, gradients: tf.Tensor) -> dict[str, tf.Tensor]:
        """The squared norms of each example's gradient: {name of the weight: float32 [B]}.

        Args:
            inputs: [B, T, ...].
            gradients: of the outputs, float32 [B, T, O].
        """
        raise NotImplementedError

    def sums(self, inputs: tf.Tensor, gradients: tf.Tensor) -> dict[str, tf.Tensor]:
        """The sum over all examples of their gradients, {name of the weight: float32}; arguments as for `squares`."""
        raise NotImplementedError


class DenseUses(LayerUses):
    """Kernel and bias of a dense layer."""

    weights = ("kernel", "bias")

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """[..., I] to [..., O]."""
        activation, self.layer.activation = self.layer.activation, None
        try:
            outputs = self.plain(inputs, training=training)
        finally:
            self.layer.activation = activation
        self.inputs.append(inputs)
        self.outputs.append(outputs)
        return outputs if activation is None else activation(outputs)

    def squares(self, inputs: tf.Tensor, gradients: tf.Tensor) -> dict[str, tf.Tensor]:
        """As the base class; inputs are [B, T, I]."""
        inputs = tf.cast(inputs, tf.float32)
        positions, size = tf.shape(inputs)[1], inputs.shape[-1] * gradients.shape[-1]

        def by_positions():
            products = tf.matmul(inputs, inputs, transpose_b=True) * tf.matmul(gradients, gradients, transpose_b=True)
            return tf.reduce_sum(products, [1, 2])

        def by_kernel():
            return _squares(tf.matmul(inputs, gradients, transpose_a=True))

        kernel = tf.cond(2 * positions * positions < size, by_positions, by_kernel)
        return {"kernel": kernel, "bias": _squares(tf.reduce_sum(gradients, 1))}

    def sums(self, inputs: tf.Tensor, gradients: tf.Tensor) -> dict[str, tf.Tensor]:
        """As the base class; inputs are [B, T, I]."""
        rows = tf.reshape(tf.cast(inputs, tf.float32), [-1, inputs.shape[-1]])  # [B * T, I]
        by_row = tf.reshape(gradients, [-1, gradients.shape[-1]])  # [B * T, O]
        return {"kernel": tf.matmul(rows, by_row, transpose_a=True), "bias": tf.reduce_sum(by_row, 0)}


class EmbeddingUses(LayerUses):
    """The table of an embedding; inputs are ids."""

    weights = ("embeddings",)

    def call(self, ids: Any) -> Any:
        """Ids [R, S] or [S] to [R, S, O]."""
        if len(ids.shape) == 1:  # positions, the same in all rows: a gradient is needed for each row
            ids = tf.broadcast_to(ids, tf.shape(self.ghosts.last_ids))
        self.ghosts.last_ids = ids
        self.inputs.append(ids)
        self.outputs.append(self.plain(ids))
        return self.outputs[-1]

    def squares(self, inputs: tf.Tensor, gradients: tf.Tensor) -> dict[str, tf.Tensor]:
        """As the base class; inputs are int [B, T]."""
        same = tf.cast(inputs[:, :, tf.newaxis] == inputs[:, tf.newaxis], tf.float32)  # [B, T, T]
        return {"embeddings": tf.reduce_sum(same * tf.matmul(gradients, gradients, transpose_b=True), [1, 2])}

    def sums(self, inputs: tf.Tensor, gradients: tf.Tensor) -> dict[str, tf.Tensor]:
        """As the base class; inputs are int [B, T]."""
        by_row = tf.reshape(gradients, [-1, gradients.shape[-1]])
        return {"embeddings": tf.math.unsorted_segment_sum(by_row, tf.reshape(inputs, [-1]), self.layer.input_dim)}


class SegmentUses(EmbeddingUses):
    """The table of segments, which a product looks up."""

    def call(self, segment_ids: Any, x: Any) -> Any:
        """Ids [R, S] to [R, S, O]."""
        one = self.layer.input_dim == 1
        self.inputs.append(tf.zeros(tf.shape(x)[:2], tf.int32) if one else segment_ids)
        self.outputs.append(self.plain(segment_ids, x))
        return self.outputs[-1]


class NormUses(LayerUses):
    """Gamma and beta of a layer norm over the last axis; inputs are the vectors before these two."""

    weights = ("gamma", "beta")

    def call(self, x: Any, residual: Any = None, dropout: Any = None, training: bool | None = None) -> Any:
        """As `ResidualNorm.call`; without a residual as Keras's layer norm."""
        total = tf.cast(x, tf.float32)
        if training and dropout:
            total = drop(total, *dropout.mask_args())
        if residual is not None:
            total += tf.cast(residual, tf.float32)
        centred = total - tf.reduce_mean(total, -1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), -1, keepdims=True)
        normed = centred * tf.math.rsqrt(variance + self.layer.epsilon)
        outputs = normed * tf.cast(self.layer.gamma, tf.float32)
        if self.layer.center:
            outputs += tf.cast(self.layer.beta, tf.float32)
        self.inputs.append(normed)
        self.outputs.append(outputs)
        return tf.cast(outputs, self.layer.compute_dtype)

    def squares(self, inputs: tf.Tensor, gradients: tf.Tensor) -> dict[str, tf.Tensor]:
        """As the base class; inputs are [B, T, O]."""
        by_example = {"gamma": tf.reduce_sum(inputs * gradients, 1), "beta": tf.reduce_sum(gradients, 1)}  # [B, O]
        return {name: _squares(gradient) for name, gradient in by_example.items()}

    def sums(self, inputs: tf.Tensor, gradients: tf.Tensor) -> dict[str, tf.Tensor]:
        """As the base class; inputs are [B, T, O]."""
        return {"gamma": tf.reduce_sum(inputs * gradients, [0, 1]), "beta": tf.reduce_sum(gradients, [0, 1])}


_KINDS: dict[type, type[LayerUses]] = {  # the first that a layer is an instance of
    keras.layers.Dense: DenseUses,
    SegmentEmbedding: SegmentUses,
    keras.layers.Embedding: EmbeddingUses,
    keras.layers.LayerNormalization: NormUses,
}


class GhostNorms:
    """The gradients of each example of a batch in one forward and one backward pass of a model.

    The rows of an example must be next to each other in all layers, and its output must not depend on other examples.

    Args:
        model: built.

    Raises:
        ConfigError: a trainable weight is part of no layer of a known kind.
    """

    def __init__(self, model: keras.Model):
        self.last_ids: Any = None  # int [R, S], of the last lookup
        numbers = {id(weight): i for i, weight in enumerate(model.trainable_weights)}
        self.uses: list[LayerUses] = []
        self.numbers: list[dict[str, int]] = []  # of each layer: {name of its trainable weight: index in the model}
        for layer in model._flatten_layers():
            kind = next((kind for base, kind in _KINDS.items() if isinstance(layer, base)), None)
            own = {name: numbers.pop(id(getattr(layer, name, None)), None) for name in kind.weights} if kind else {}
            own = {name: number for name, number in own.items() if number is not None}
            if own:
                self.uses.append(kind(layer, self))
                self.numbers.append(own)
        if numbers:
            left = model.trainable_weights[min(numbers.values())]
            raise ConfigError(
                f"Received: privacy with a model whose weight {left.path} is in a layer of another kind than dense, "
                "embedding and layer norm. Freeze it, or take another encoder."
            )

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """A context in which calls of the model are kept; around it, a `tf.GradientTape` of the losses."""
        with calls_replaced({uses.layer: uses.call for uses in self.uses}):
            yield

    def gradients(self, tape: tf.GradientTape, losses: tf.Tensor, scale: Callable) -> dict[int, tf.Tensor]:
        """The sum of each example's gradient times a factor, {index of the weight in the model: float32}.

        Args:
            tape: recorded the model's calls and the losses.
            losses: of the examples, [B].
            scale: from the norms of their gradients, float32 [B], to the factors, float32 [B].
        """
        outputs = [uses.outputs for uses in self.uses]
        of_outputs = tape.gradient(losses, outputs, unconnected_gradients="zero")
        count = tf.shape(losses)[0]
        calls = []  # of the layers that were called: (its uses, weights, inputs [B, T, ...], gradients [B, T, O])
        for uses, own, gradients in zip(self.uses, self.numbers, of_outputs, strict=True):
            if gradients:
                joined = [_by_example(uses.inputs, count), tf.cast(_by_example(gradients, count), tf.float32)]
                calls.append((uses, own, *joined))
        squares = []
        for uses, own, inputs, gradients in calls:
            found = uses.squares(inputs, gradients)
            squares += [found[name] for name in own]
        factors = scale(tf.sqrt(tf.add_n(squares)))  # [B]
        sums: dict[int, tf.Tensor] = {}
        for uses, own, inputs, gradients in calls:
            # Not a plain product: an example whose gradients are not finite has the factor 0.
            scaled = tf.math.multiply_no_nan(gradients, factors[:, tf.newaxis, tf.newaxis])
            found = uses.sums(inputs, scaled)
            sums |= {number: found[name] for name, number in own.items()}
        return sums


def check_uses(model: keras.Model, losses_of: Callable, inputs: Any) -> None:
    """Compares the summed gradients of some examples with those that TensorFlow finds.

    Args:
        losses_of: from the model's outputs to the losses of the examples, [B].
        inputs: of B examples.

    Raises:
        ConfigError: a weight is used outside of its layer, as an output matrix that is tied to an embedding.
    """
    ghosts = GhostNorms(model)
    with tf.GradientTape(persistent=True) as tape:
        with ghosts.recording():
            outputs = model(inputs, training=False)
        losses = losses_of(outputs)
    expected = tape.gradient(losses, model.trainable_weights)
    found = ghosts.gradients(tape, losses, tf.ones_like)
    whole = tf.linalg.global_norm([gradient for gradient in expected if gradient is not None])
    for number, gradient in enumerate(expected):
        if gradient is None:
            continue
        gradient = tf.convert_to_tensor(gradient)
        error = tf.norm(gradient - found.get(number, tf.zeros_like(gradient)))
        if error > _ALLOWED * tf.norm(gradient) + _ROUNDING * whole:
            raise ConfigError(
                f"Received: privacy with a model that uses its weight {model.trainable_weights[number].path} outside "
                "of its layer too, so that the norms of its gradients are not known. Freeze it."
            )


def _by_example(calls: Sequence[tf.Tensor], count: tf.Tensor) -> tf.Tensor:
    """Tensors [R, ..., D] of the calls of a layer, or ids [R, S], as one [B, T, D], or [B, T]."""
    width = [] if calls[0].dtype.is_integer else [calls[0].shape[-1]]
    parts = [tf.reshape(call, [count, -1, *width]) for call in calls]
    return parts[0] if len(parts) == 1 else tf.concat(parts, 1)


def _squares(x: tf.Tensor) -> tf.Tensor:
    """The sums of squares of [B, ...] over all axes but the first: [B]."""
    return tf.reduce_sum(tf.square(x), list(range(1, x.shape.rank)))
