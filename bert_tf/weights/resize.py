"""Other vocabularies and more positions: functions from one `Checkpoint` to another."""

import dataclasses

import numpy as np

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.text.tokenizers.vocabulary import fill_vocabulary

TOKENS, POSITIONS = "encoder/embeddings/token/embeddings", "encoder/embeddings/position/embeddings"
BIAS = "masked_lm/bias"  # of the output embedding, which is tied to the tokens'


def extend_positions(checkpoint, max_positions):
    """The checkpoint with `max_positions` positions.

    Positions beyond the old ones repeat them from the first on, as Longformer's begin (Beltagy et al. 2020, section
    5); fewer positions are the first of the old ones. The new ones have to be trained.
    """
    if max_positions < 1:
        raise ConfigError(f"Received: max_positions={max_positions}. It must be at least 1.")
    old = checkpoint.weights[POSITIONS]
    new = old[np.arange(max_positions) % len(old)]
    return _replace(checkpoint, {POSITIONS: new}, max_positions=max_positions)


def add_tokens(checkpoint, pieces):
    """The checkpoint with `pieces` at the end of its vocabulary; those that it has already are left where they are."""
    vocabulary = _vocabulary(checkpoint)
    known = set(vocabulary)
    return change_vocabulary(checkpoint, vocabulary + [piece for piece in dict.fromkeys(pieces) if piece not in known])


def change_vocabulary(checkpoint, vocabulary):
    """The checkpoint with the list `vocabulary` in place of its own: larger, smaller or in another order.

    A piece that was there keeps its embedding and output bias; a new one gets the mean of all old ones, so that it
    changes the probabilities of the others least (Hewitt 2021).
    """
    row = {piece: i for i, piece in enumerate(_vocabulary(checkpoint))}
    if len(set(vocabulary)) != len(vocabulary):
        raise InputError("The new vocabulary has a piece twice.")
    rows = [row.get(piece, len(row)) for piece in vocabulary]  # the row after the last is the mean
    changed = {
        name: np.concatenate([old, old.mean(0, keepdims=True)])[rows]
        for name, old in checkpoint.weights.items()
        if name in (TOKENS, BIAS)
    }
    changed = _replace(checkpoint, changed, vocab_size=len(vocabulary))
    return dataclasses.replace(changed, vocabulary=list(vocabulary))


def resize_vocabulary(checkpoint, vocab_size):
    """The checkpoint with `vocab_size` rows: cut at the end, or filled up with reserved tokens.

    Sizes that are multiples of 64 suit matrix units.
    """
    vocabulary = _vocabulary(checkpoint)
    return change_vocabulary(checkpoint, fill_vocabulary(vocabulary, vocab_size)[:vocab_size])


def _vocabulary(checkpoint):
    if checkpoint.vocabulary is None:
        raise InputError("The checkpoint has no vocabulary, so its rows cannot be told apart.")
    return checkpoint.vocabulary


def _replace(checkpoint, weights, **encoder):
    return dataclasses.replace(
        checkpoint,
        weights=checkpoint.weights | weights,
        encoder=dataclasses.replace(checkpoint.encoder, **encoder),
    )
