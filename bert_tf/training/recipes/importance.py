"""The importance of the heads and feed-forward columns of a task model: measured by gradients, or learned by gates."""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.layer_changes import calls_replaced
from bert_tf.tasks.base.task import Task
from bert_tf.training.recipes.mean_loss import loss_sums

# B examples, S tokens, N heads, H head size, F columns

_NO_EXAMPLES = "Received no examples to measure the effect of heads and columns on."
# Hard concrete gates: the values of Louizos et al. 2018, section 4.
_LOW, _HIGH, _TEMPERATURE = -0.1, 1.1, 2 / 3
_OPEN = 2.0  # logarithm of the odds in the beginning: a gate is 0 in 3 % of the cases
# Of the share of gates that are open in excess: what it adds to a multiplier in a step, and its square to the loss.
_RAISE, _DAMPING = 1.0, 10.0


@dataclasses.dataclass(frozen=True)
class Importance:
    """The effect on the loss of each head and of each feed-forward column of an encoder, float32 arrays.

    Attributes:
        heads: for each block [N].
        columns: for each block [F].
        one_scale: whether the values of different blocks can be compared as they are.
    """

    heads: list[np.ndarray]
    columns: list[np.ndarray]
    one_scale: bool = False


def rank(model: Task, texts: Any, targets: Any, batch_size: int = 32) -> Importance:
    """Measures the effect of heads and columns (Michel et al. 2019, section 4.1): a few thousand examples suffice.

    It is the mean over the examples of |dL / dg|, where L is the loss of an example and g a gate, 1 in the model as it
    is, by which the output of the head or column is multiplied.

    Args:
        model: with the weights of its task.
        texts, targets: training examples, as for `fit`.
        batch_size: examples that are computed together; no other influence.

    Raises:
        InputError: the model has no transformer blocks, is quantized, is of a task without training, or there are no
            examples.
    """
    _check_trained(model)
    data = model.dataset(texts, targets, batch_size)
    losses = keras.tree.flatten(model.default_loss())

    def effects(x: Any, y: Any, weights: Any = None) -> list[tf.Tensor]:
        """The sums of |dL / dg| over a batch, one tensor for the heads and one for the columns of each block."""
        gates = _open_gates(model.encoder, tf.shape(x[features.INPUT_IDS])[0])
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(gates)
            with gated(model.encoder, gates[::2], gates[1::2]):
                outputs = model(x, training=False)
            # The loss of the batch is a sum, so that the gradient of an example's gate is that of its own loss.
            loss = tf.reduce_sum(loss_sums(losses, outputs, y, weights)[..., 0])
        return [tf.reduce_sum(tf.abs(gradient), 0) for gradient in tape.gradient(loss, gates)]

    step = tf.function(effects, input_signature=data.element_spec, autograph=False)
    totals: list[np.ndarray] = []
    count = 0
    for batch in data:
        sums = [tensor.numpy().astype("float64") for tensor in step(*batch)]
        totals = [total + part for total, part in zip(totals, sums, strict=True)] if totals else sums
        count += len(batch[0][features.INPUT_IDS])
    if not count:
        raise InputError(_NO_EXAMPLES)
    means = [(total / count).astype("float32") for total in totals]
    return Importance(means[::2], means[1::2])


def learn_gates(
    model: Task,
    texts: Any,
    targets: Any,
    heads: float = 0.0,
    columns: float = 0.0,
    epochs: int = 3,
    batch_size: int = 32,
    learning_rate: float = 0.1,
    seed: int = 0,
) -> Importance:
    """Learns which heads and columns are needed together: gates that training closes (Louizos et al. 2018).

    The output of each head and column is multiplied by a hard concrete gate, a random number that is 0 or 1 more often
    than between them. The logarithms of the odds of a gate are trained to lower the loss; the weights of the model stay
    as they are. An augmented Lagrangian of the expected share of open gates (Wang et al. 2020, section 3.3), whose
    multiplier grows while too many are open, brings it to the one that `remove` is to leave: linearly over the first
    half of the steps.

    Args:
        model: with the weights of its task.
        texts, targets: training examples, as for `fit`.
        heads, columns: shares to close, as for `remove`, at least 0 and below 1.
        epochs: passes over the examples.
        batch_size: examples of a step; each has random gates of its own.
        learning_rate: of Adam.
        seed: of the order of the examples and of the gates.

    Returns:
        The logarithms of the odds, to `remove` these shares.

    Raises:
        ConfigError: a share is not in its range.
        InputError: as for `rank`.
    """
    _check_trained(model)
    shares = {"heads": heads, "columns": columns}
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise ConfigError(f"Received: {name}={share}. Give the share to close, at least 0 and below 1.")
    data = model.dataset(texts, targets, batch_size, shuffle=True, seed=seed, repeat=epochs)
    losses = keras.tree.flatten(model.default_loss())
    odds = [tf.Variable(tf.fill(gates.shape[1:], _OPEN)) for gates in _open_gates(model.encoder, 1)]  # [N], [F], ...
    multipliers = tf.Variable(tf.zeros([2]))  # of heads and of columns
    optimizer = keras.optimizers.Adam(learning_rate)

    def train(step: tf.Tensor, targeted: tf.Tensor, x: Any, y: Any, weights: Any = None) -> None:
        """A step towards the shares of open gates `targeted`, float32 [2]."""
        count = tf.shape(x[features.INPUT_IDS])[0]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(odds)
            gates = [_hard_concrete(block, count, [seed, step * len(odds) + i]) for i, block in enumerate(odds)]
            with gated(model.encoder, gates[::2], gates[1::2]):
                outputs = model(x, training=False)
            sums = loss_sums(losses, outputs, y, weights)  # [losses, 2]
            loss = tf.reduce_sum(sums[..., 0] / tf.maximum(sums[..., 1], 1.0))
            excess = tf.stack([_share_open(odds[::2]), _share_open(odds[1::2])]) - targeted
            total = loss + tf.reduce_sum((multipliers + _DAMPING * excess) * excess)
        optimizer.apply_gradients(zip(tape.gradient(total, odds), odds, strict=True))
        multipliers.assign_add(_RAISE * excess)

    scalar = tf.TensorSpec([], tf.int32)
    step_function = tf.function(
        train, input_signature=[scalar, tf.TensorSpec([2]), *data.element_spec], autograph=False
    )
    optimizer.build(odds)
    steps = 0
    total_steps = int(data.cardinality())
    for batch in data:
        done = min(1.0, 2 * (steps + 1) / total_steps)
        step_function(steps, [1 - done * share for share in shares.values()], *batch)
        steps += 1
    if not steps:
        raise InputError(_NO_EXAMPLES)
    learned = [block.numpy() for block in odds]
    return Importance(learned[::2], learned[1::2], one_scale=True)


def _hard_concrete(odds: tf.Tensor, count: tf.Tensor, seed: Any) -> tf.Tensor:
    """Random gates [B, units] in [0, 1] of logarithms of odds [units] (Louizos et al. 2018, equation 10)."""
    uniform = tf.random.stateless_uniform([count, odds.shape[0]], tf.stack(seed), 1e-6, 1 - 1e-6)
    concrete = tf.sigmoid((tf.math.log(uniform) - tf.math.log(1 - uniform) + odds) / _TEMPERATURE)
    return tf.clip_by_value(concrete * (_HIGH - _LOW) + _LOW, 0.0, 1.0)


def _share_open(odds: list[tf.Variable]) -> tf.Tensor:
    """The expected share of the gates of all blocks that are not 0 (equation 12)."""
    return tf.reduce_mean(tf.sigmoid(tf.concat(odds, 0) - _TEMPERATURE * math.log(-_LOW / _HIGH)))


@contextlib.contextmanager
def gated(encoder: Any, heads: Sequence[Any], columns: Sequence[Any]) -> Iterator[None]:
    """A context in which the outputs of heads and columns are multiplied by gates, to compute without some of them.

    Args:
        encoder: with transformer blocks.
        heads: for each block the gates of its heads, float32 [B or 1, N]; an example has those of its place in the
            batch, also where it has several rows.
        columns: for each block the gates of its columns, float32 [B or 1, F].
    """
    calls = {}
    for block, of_heads, of_columns in zip(encoder.blocks, heads, columns, strict=True):
        # What goes into these two layers are the outputs of the heads and of the columns.
        by_unit = tf.repeat(of_heads, block.attention.head_size, 1)  # [B, N * H]
        for layer, gate in ((block.attention.output_dense, by_unit), (block.output_dense, of_columns)):
            calls[layer] = _gated_call(layer.call, tf.convert_to_tensor(gate))
    with calls_replaced(calls):
        yield


def _gated_call(call: Callable, gate: tf.Tensor) -> Callable:
    def multiplied(x: Any, *args: Any, **kwargs: Any) -> Any:
        of_vectors = tf.repeat(gate, tf.shape(x)[0] // tf.shape(gate)[0], 0)  # [rows * S, units], as x
        return call(x * tf.cast(of_vectors, x.dtype), *args, **kwargs)

    return multiplied


def _open_gates(encoder: Any, examples: Any) -> list[tf.Tensor]:
    """Gates of 1: [B, N] of the heads of a block, then [B, F] of its columns, and so on for the next one."""
    gates = []
    for block in encoder.blocks:
        gates += [tf.ones([examples, block.attention.num_heads]), tf.ones([examples, block.intermediate_size])]
    return gates


def _check_trained(model: Task) -> None:
    check_model(model)
    if not model.SPEC.targets:
        raise InputError(f"Received: a model of the task {model.TASK}, which is not trained, so that it has no loss.")


def check_model(model: Task) -> None:
    """Raises `InputError` for a model without heads and columns to remove."""
    if not getattr(model.encoder, "blocks", None):
        raise InputError(f"Received: an encoder of the family {model.family!r}, which has no transformer blocks.")
    if any(layer.quantization_mode for layer in model._flatten_layers()):
        raise InputError("Received: a quantized model. Prune first, then quantize.")
