"""Other vocabularies and more positions: functions from one `Checkpoint` to another."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.text.tokenizers.vocabulary import Vocabulary, fill_vocabulary
from bert_tf.weights.checkpoint import Checkpoint

TOKENS, POSITIONS = "encoder/embeddings/token/embeddings", "encoder/embeddings/position/embeddings"
BIAS = "masked_lm/bias"  # of the output embedding, which is the token embedding


def extend_positions(checkpoint: Checkpoint, max_positions: int) -> Checkpoint:
    """The checkpoint with `max_positions` positions.

    New positions repeat the old ones from the first on, as in Longformer (Beltagy et al. 2020, section 5), and have to
    be trained; fewer positions are the first of the old ones. Fewer than 1 raises `ConfigError`.
    """
    if max_positions < 1:
        raise ConfigError(f"Received: max_positions={max_positions}. It must be at least 1.")
    old = checkpoint.weights[POSITIONS]
    new = old[np.arange(max_positions) % len(old)]
    return _replace(checkpoint, {POSITIONS: new}, max_positions=max_positions)


def add_tokens(checkpoint: Checkpoint, tokens: list[str]) -> Checkpoint:
    """The checkpoint with `tokens` added at the end of its vocabulary; a token that is there already keeps its id."""
    vocabulary = _vocabulary(checkpoint)
    known = set(vocabulary)
    new = [token for token in dict.fromkeys(tokens) if token not in known]
    return _with_rows(checkpoint, vocabulary + new, range(len(vocabulary)))


def change_vocabulary(checkpoint: Checkpoint, vocabulary: list[str]) -> Checkpoint:
    """The checkpoint with another vocabulary: larger, smaller or in another order.

    A token of the old vocabulary keeps its embedding and output bias; a new one gets the mean of all old ones, which
    changes the probabilities of the others least (Hewitt 2021). A token that occurs twice raises `InputError`.
    """
    ids = {token: i for i, token in enumerate(_vocabulary(checkpoint))}
    if len(set(vocabulary)) != len(vocabulary):
        raise InputError("The new vocabulary has a token twice.")
    return _with_rows(checkpoint, vocabulary, [ids.get(token) for token in vocabulary])


def resize_vocabulary(checkpoint: Checkpoint, vocab_size: int) -> Checkpoint:
    """The checkpoint with `vocab_size` tokens: cut at the end, or filled up with reserved tokens.

    Sizes that are multiples of 64 suit matrix units.
    """
    vocabulary = _vocabulary(checkpoint)
    resized = fill_vocabulary(vocabulary, vocab_size)[:vocab_size]
    return _with_rows(checkpoint, resized, range(min(vocab_size, len(vocabulary))))


def _with_rows(checkpoint: Checkpoint, vocabulary: list[str], old_ids: Sequence[int | None]) -> Checkpoint:
    """The checkpoint with another vocabulary; `old_ids` are those of its first tokens, None for new ones."""
    size = len(_vocabulary(checkpoint))
    rows = [size if i is None else i for i in old_ids]
    rows += [size] * (len(vocabulary) - len(rows))  # the row after the last is the mean
    changed = {}
    for name in (TOKENS, BIAS):
        if name in checkpoint.weights:  # not every model has the masked LM head
            old = checkpoint.weights[name][:size]  # [V, D] or [V]
            changed[name] = np.concatenate([old, old.mean(0, keepdims=True)])[rows]
    resized = _replace(checkpoint, changed, vocab_size=len(vocabulary))
    return dataclasses.replace(resized, vocabulary=list(vocabulary))


def _vocabulary(checkpoint: Checkpoint) -> list[str]:
    if checkpoint.vocabulary is None:
        raise InputError("The checkpoint has no vocabulary, so the tokens of its embedding rows are unknown.")
    if isinstance(checkpoint.vocabulary, Vocabulary):
        raise InputError(f"A vocabulary in {checkpoint.vocabulary.file_name} cannot be changed, only one in vocab.txt.")
    return checkpoint.vocabulary


def _replace(checkpoint: Checkpoint, weights: dict[str, np.ndarray], **encoder: Any) -> Checkpoint:
    return dataclasses.replace(
        checkpoint,
        weights=checkpoint.weights | weights,
        encoder=dataclasses.replace(checkpoint.encoder, **encoder),
    )
