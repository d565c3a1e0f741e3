"""Structured pruning of task models: attention heads, feed-forward columns, layers and tokens, removed for real.

Every function returns a new model of the same task, whose kernels are smaller and which fine-tunes, exports and is
saved as any other; the model that it is given stays as it is.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.tasks.base.task import Task
from bert_tf.training.recipes.importance import Importance, check_model, gated, learn_gates, rank
from bert_tf.weights import resize, shrink
from bert_tf.weights.checkpoint import Checkpoint

__all__ = ["Importance", "gated", "keep_layers", "learn_gates", "rank", "remove", "trim_vocabulary"]

TaskModel = TypeVar("TaskModel", bound=Task)
_COLUMNS = 8  # numbers of columns are multiples of it, because kernels of matrix products compute so many at once


def remove(
    model: TaskModel, importance: Importance, heads: float = 0.0, columns: float = 0.0, by_layer: bool = False
) -> TaskModel:
    """A model without the heads and columns of the lowest importance, which usually has to be fine-tuned again.

    Args:
        model: a task model.
        importance: of this model, from `rank` or `learn_gates`.
        heads: share of all heads to remove, at least 0 and below 1.
        columns: share of all columns to remove. How many a block keeps is rounded to a multiple of 8.
        by_layer: whether each block loses this share. Else they are compared over all blocks, and every block keeps at
            least one head and 8 columns. Those of `rank` are scaled to a vector of length 1 for each block before
            (Michel et al. 2019).

    Raises:
        ConfigError: a share is not in its range, or would leave a block without any.
        InputError: the model is quantized or has no transformer blocks, or the importance is that of another model.
    """
    check_model(model)
    sizes = [(block.attention.num_heads, block.intermediate_size) for block in model.encoder.blocks]
    ranked = zip(importance.heads, importance.columns, strict=True)
    measured = [(len(block_heads), len(block_columns)) for block_heads, block_columns in ranked]
    if measured != sizes:
        raise InputError(f"The importance is of blocks with {measured} heads and columns; this model has {sizes}.")
    of_heads, of_columns = importance.heads, importance.columns
    if not (by_layer or importance.one_scale):
        of_heads, of_columns = _unit_vectors(of_heads), _unit_vectors(of_columns)
    kept_heads = _kept("heads", of_heads, heads, by_layer)
    kept_columns = _kept("columns", of_columns, columns, by_layer, _COLUMNS)
    return _changed(model, lambda checkpoint: shrink.keep_heads_and_columns(checkpoint, kept_heads, kept_columns))


def keep_layers(model: TaskModel, layers: Sequence[int]) -> TaskModel:
    """A model with the layers of these numbers alone, from 0, in ascending order; see `shrink.keep_layers`."""
    check_model(model)
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


def _unit_vectors(scores: list[np.ndarray]) -> list[np.ndarray]:
    return [block / max(np.linalg.norm(block), 1e-30) for block in scores]


def _counts_of_all(scores: list[np.ndarray], share: float, least: list[int]) -> list[int]:
    """How many parts each block keeps, where the lowest of all blocks are removed."""
    ranks = []
    for block, fewest in zip(scores, least, strict=True):
        ranked = block.copy()
        ranked[np.argsort(-block, kind="stable")[:fewest]] = np.inf  # stay in any case
        ranks.append(ranked)
    lowest = np.argsort(np.concatenate(ranks), kind="stable")  # numbers over all blocks
    removed = round(share * len(lowest))
    if len(lowest) - removed < sum(least):
        return [0] * len(scores)
    owners = np.repeat(np.arange(len(scores)), [len(block) for block in scores])
    return np.bincount(owners[lowest[removed:]], minlength=len(scores)).tolist()


def _changed(model: TaskModel, change: Callable[[Checkpoint], Checkpoint]) -> TaskModel:
    """A copy of the model whose checkpoint is changed."""
    checkpoint = change(model.to_checkpoint(model.tokenizer, model.task_settings()))
    return type(model).from_checkpoint(checkpoint, "the pruned model", model.dtype_policy)
