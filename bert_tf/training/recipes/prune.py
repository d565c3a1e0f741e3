"""Structured pruning of task models: attention heads, feed-forward columns, layers and tokens, removed for real.

Every function returns a new model of the same task, whose kernels are smaller and which fine-tunes, exports and is
saved as any other; the model that it is given stays as it is.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.layer_changes import calls_replaced
from bert_tf.tasks.base.task import Task
from bert_tf.training.recipes.mean_loss import loss_sums
from bert_tf.weights import resize, shrink
from bert_tf.weights.checkpoint import Checkpoint

# B examples, S tokens, N heads, H head size, F columns

TaskModel = TypeVar("TaskModel", bound=Task)
_COLUMNS = 8  # numbers of columns are multiples of it, because kernels of matrix products compute so many at once


@dataclasses.dataclass(frozen=True)
class Importance:
    """The effect on the loss of each head and of each feed-forward column of an encoder, float32 arrays.

    Attributes:
        heads: for each block [N].
        columns: for each block [F].
    """

    heads: list[np.ndarray]
    columns: list[np.ndarray]


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
    _check_model(model)
    if not model.SPEC.targets:
        raise InputError(f"Received: a model of the task {model.TASK}, which is not trained, so that it has no loss.")
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
        raise InputError("Received no examples to measure the effect of heads and columns on.")
    means = [(total / count).astype("float32") for total in totals]
    return Importance(means[::2], means[1::2])


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
        of_rows = tf.repeat(gate, tf.shape(x)[0] // tf.shape(gate)[0], 0)  # [rows, units]
        return call(x * tf.cast(of_rows, x.dtype)[:, tf.newaxis], *args, **kwargs)  # [rows, S, units]

    return multiplied


def _open_gates(encoder: Any, examples: Any) -> list[tf.Tensor]:
    """Gates of 1: [B, N] of the heads of a block, then [B, F] of its columns, and so on for the next one."""
    gates = []
    for block in encoder.blocks:
        gates += [tf.ones([examples, block.attention.num_heads]), tf.ones([examples, block.intermediate_size])]
    return gates


def remove(
    model: TaskModel, importance: Importance, heads: float = 0.0, columns: float = 0.0, by_layer: bool = False
) -> TaskModel:
    """A model without the heads and columns of the lowest importance, which usually has to be fine-tuned again.

    Args:
        model: a task model.
        importance: of this model, from `rank`.
        heads: share of all heads to remove, at least 0 and below 1.
        columns: share of all columns to remove. How many a block keeps is rounded to a multiple of 8.
        by_layer: whether each block loses this share. Else they are compared over all blocks, after those of each block
            are scaled to a vector of length 1 (Michel et al. 2019), and every block keeps at least one head and 8
            columns.

    Raises:
        ConfigError: a share is not in its range, or would leave a block without any.
        InputError: the model is quantized or has no transformer blocks, or the importance is that of another model.
    """
    _check_model(model)
    sizes = [(block.attention.num_heads, block.intermediate_size) for block in model.encoder.blocks]
    ranked = zip(importance.heads, importance.columns, strict=True)
    measured = [(len(of_heads), len(of_columns)) for of_heads, of_columns in ranked]
    if measured != sizes:
        raise InputError(f"The importance is of blocks with {measured} heads and columns; this model has {sizes}.")
    kept_heads = _kept("heads", importance.heads, heads, by_layer)
    kept_columns = _kept("columns", importance.columns, columns, by_layer, _COLUMNS)
    return _changed(model, lambda checkpoint: shrink.keep_heads_and_columns(checkpoint, kept_heads, kept_columns))


def keep_layers(model: TaskModel, layers: Sequence[int]) -> TaskModel:
    """A model with the layers of these numbers alone, from 0, in ascending order; see `shrink.keep_layers`."""
    _check_model(model)
    return _changed(model, lambda checkpoint: shrink.keep_layers(checkpoint, layers))


def trim_vocabulary(model: TaskModel, texts: Iterable[str], least: int = 1) -> TaskModel:
    """A model with the tokens that `texts` need, for which it computes the same; see `resize.trim_vocabulary`.

    With `least` above 1, without those that occur less often: it has to be fine-tuned again.
    """
    return _changed(model, lambda checkpoint: resize.trim_vocabulary(checkpoint, texts, least))


def _kept(what: str, scores: list[np.ndarray], share: float, by_layer: bool, multiple: int = 1) -> list[np.ndarray]:
    """For each block the numbers of the parts that stay, ascending."""
    if not 0 <= share < 1:
        raise ConfigError(f"Received: {what}={share}. Give the share to remove, at least 0 and below 1.")
    least = [min(multiple, len(block)) for block in scores]  # of each block
    if by_layer:
        counts = [len(block) - round(share * len(block)) for block in scores]
    else:
        counts = _counts_of_all(scores, share, least)
    kept = []
    for block, count, fewest in zip(scores, counts, least, strict=True):
        if count < 1:
            raise ConfigError(
                f"Received: {what}={share}. Nothing would be left of the {len(block)} {what} of a layer: remove fewer."
            )
        rounded = min(len(block), max(fewest, multiple * round(count / multiple)))
        kept.append(np.sort(np.argsort(-block, kind="stable")[:rounded]))
    return kept


def _counts_of_all(scores: list[np.ndarray], share: float, least: list[int]) -> list[int]:
    """How many parts each block keeps, where the lowest of all blocks are removed."""
    ranks = []
    for block, fewest in zip(scores, least, strict=True):
        rank = block / max(np.linalg.norm(block), 1e-30)
        rank[np.argsort(-block, kind="stable")[:fewest]] = np.inf  # stay in any case
        ranks.append(rank)
    lowest = np.argsort(np.concatenate(ranks), kind="stable")  # numbers over all blocks
    removed = round(share * len(lowest))
    if len(lowest) - removed < sum(least):
        return [0] * len(scores)
    owners = np.repeat(np.arange(len(scores)), [len(block) for block in scores])
    return np.bincount(owners[lowest[removed:]], minlength=len(scores)).tolist()


def _check_model(model: Task) -> None:
    if not getattr(model.encoder, "blocks", None):
        raise InputError(f"Received: an encoder of the family {model.family!r}, which has no transformer blocks.")
    if any(layer.quantization_mode for layer in model._flatten_layers()):
        raise InputError("Received: a quantized model. Prune first, then quantize.")


def _changed(model: TaskModel, change: Callable[[Checkpoint], Checkpoint]) -> TaskModel:
    """A copy of the model whose checkpoint is changed."""
    checkpoint = change(model.to_checkpoint(model.tokenizer, model.task_settings()))
    return type(model).from_checkpoint(checkpoint, "the pruned model", model.dtype_policy)
