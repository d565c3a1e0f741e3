"""Other vocabularies and more positions: functions from one `Checkpoint` to another."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.text.tokenizers.vocabulary import SPECIAL_TOKENS, Vocabulary, fill_vocabulary
from bert_tf.weights.checkpoint import Checkpoint

TOKENS, POSITIONS = "encoder/embeddings/token/embeddings", "encoder/embeddings/position/embeddings"
BIAS = "masked_lm/bias"  # of the output embedding, which is the token embedding
# All weights with a row for each token: also those of the BiLSTM, and of a decoder with weights of its own.
_PER_TOKEN = (TOKENS, BIAS, "encoder/token/embeddings", "decoder/embeddings/token/embeddings")
_TOKEN_SETTINGS = ("start_id", "end_id", "pad_id")  # of the head, which are ids of tokens


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


def trim_vocabulary(checkpoint: Checkpoint, texts: Iterable[str], least: int = 1) -> Checkpoint:
    """The checkpoint with the tokens that its tokenizer needs for `texts`, in their old order.

    The model computes the same for these texts; other texts may become other tokens, or unknown. The special tokens,
    the added ones, and the start and end of the targets of a decoder stay.

    Args:
        least: how often a token has to occur in the texts. With more than 1 their rare words become several shorter
            tokens, so that the model has to be trained again.

    Raises:
        ConfigError: `least` is below 1.
        InputError: the checkpoint has no vocabulary, or it is not one of WordPiece; or there are no texts.
    """
    from bert_tf.text.tokenizers.used_tokens import used_tokens  # needs TensorFlow

    if least < 1:
        raise ConfigError(f"Received: least={least}. A token occurs at least once.")
    vocabulary, text = _vocabulary(checkpoint), checkpoint.text
    used = used_tokens(vocabulary, text, texts, least)
    if not used:
        raise InputError("Received no texts to trim the vocabulary to. Give those that the model has to read.")
    used |= {*SPECIAL_TOKENS, *text.added_tokens, *text.added_any_case}
    kept = {checkpoint.task.get(name) for name in _TOKEN_SETTINGS} - {None}
    kept |= {i for token, i in {token: i for i, token in enumerate(vocabulary)}.items() if token in used}
    return _with_rows(checkpoint, [vocabulary[i] for i in sorted(kept)], sorted(kept))


def resize_vocabulary(checkpoint: Checkpoint, vocab_size: int) -> Checkpoint:
    """The checkpoint with `vocab_size` tokens: cut at the end, or filled up with reserved tokens.

    Sizes that are multiples of 64 suit matrix units.
    """
    vocabulary = _vocabulary(checkpoint)
    resized = fill_vocabulary(vocabulary, vocab_size)[:vocab_size]
    return _with_rows(checkpoint, resized, range(min(vocab_size, len(vocabulary))))


def _with_rows(checkpoint: Checkpoint, vocabulary: list[str], old_ids: Sequence[int | None]) -> Checkpoint:
    """The checkpoint with another vocabulary; `old_ids` are those of its first tokens, None for new ones."""
    old_ids, size = list(old_ids), len(_vocabulary(checkpoint))
    rows = [size if i is None else i for i in old_ids]
    rows += [size] * (len(vocabulary) - len(rows))  # the row after the last is the mean
    changed = {}
    for name in _PER_TOKEN:
        if name in checkpoint.weights:
            old = checkpoint.weights[name][:size]  # [V, D] or [V]
            changed[name] = np.concatenate([old, old.mean(0, keepdims=True)])[rows]
    resized = _replace(checkpoint, changed, vocab_size=len(vocabulary))
    decoder = checkpoint.decoder and dataclasses.replace(checkpoint.decoder, vocab_size=len(vocabulary))
    task = dict(checkpoint.task)
    for name in _TOKEN_SETTINGS:
        if task.get(name) is not None:
            task[name] = _new_id(task[name], old_ids, checkpoint.vocabulary)
    return dataclasses.replace(resized, vocabulary=list(vocabulary), decoder=decoder, task=task)


def _new_id(token: int, old_ids: list[int | None], vocabulary: list[str]) -> int:
    if token not in old_ids:
        raise InputError(f"The new vocabulary lacks {vocabulary[token]!r}, with which the model begins or ends a text.")
    return old_ids.index(token)


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
