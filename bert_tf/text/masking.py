"""Masking for the masked language model (Devlin et al. 2019, section 3.1): of tokens, whole words or n-grams."""

import dataclasses

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.core.features import (
    INPUT_IDS,
    MASKED_LM_IDS,
    MASKED_LM_POSITIONS,
    MASKED_LM_WEIGHTS,
)
from bert_tf.text.tokenizers.base import Tokenizer

# Legend: B batch, S sequence, U units (of a row; at most S), P predictions.

UNITS = ("token", "whole_word", "ngram")


@dataclasses.dataclass(frozen=True)
class MaskingConfig:
    """Settings of masking; names and numbers are those of Google's create_pretraining_data.py."""

    masking: str = "token"  # unit of masking: "token", "whole_word", or "ngram" of whole words
    masked_lm_prob: float = 0.15  # share of a row's tokens, special tokens included
    max_predictions: int = 20  # maximum of masked tokens in a row
    max_ngram: int = 3  # longest n-gram in words; a length n has a probability proportional to 1 / n

    def __post_init__(self):
        if self.masking not in UNITS:
            raise ConfigError(f"Received: masking={self.masking!r}. masking must be one of {', '.join(UNITS)}.")
        if not 0 < self.masked_lm_prob < 1:
            raise ConfigError(f"Received: masked_lm_prob={self.masked_lm_prob}. It must lie between 0 and 1.")
        for name in ("max_predictions", "max_ngram"):
            if getattr(self, name) < 1:
                raise ConfigError(f"Received: {name}={getattr(self, name)}. {name} must be at least 1.")

    def num_to_predict(self, lengths: npt.ArrayLike) -> np.ndarray:
        """Masked tokens in rows of these lengths, int64 of the shape of `lengths`."""
        wanted = np.round(np.asarray(lengths) * self.masked_lm_prob).astype(np.int64)
        return np.clip(wanted, 1, self.max_predictions)


class Masker:
    """Masks rows of ids with TensorFlow ops alone, the same in eager code and in `tf.data`.

    Random units are chosen until a row has `num_to_predict` masked tokens; a unit that no longer fits is skipped, so
    that words are never split. 80 % of the chosen units become the mask token, 10 % random tokens and 10 % stay; the
    shares are exact over a batch, because they are assigned by rank and not drawn for each unit. Special tokens of the
    layout are never masked, and random tokens are neither special nor reserved.

    Args:
        config: a `MaskingConfig`.
        tokenizer: a `Tokenizer`. `ConfigError` where its vocabulary has no mask token, or special tokens only.
    """

    def __init__(self, config: MaskingConfig, tokenizer: Tokenizer):
        if tokenizer.mask_id is None:
            lacking = tokenizer.SPECIAL_TOKENS.mask
            raise ConfigError(f"The vocabulary of {tokenizer.vocab_size} tokens has no {lacking}, which masking needs.")
        self.config = config
        self.mask_id = tokenizer.mask_id
        self.never = tokenizer.added_ids
        self.starts_word = tokenizer.starts_word
        self.ordinary = tokenizer.ordinary_ids
        if not len(self.ordinary):
            raise ConfigError("The vocabulary has special tokens only. Masking needs ordinary ones for replacement.")

    def __call__(self, input_ids: tf.Tensor, input_mask: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Masks a batch.

        Args:
            input_ids, input_mask: int32 [B, S].
            seed: int32 [2]; the same seed and rows give the same result.

        Returns:
            A dict of input_ids [B, S], masked_lm_positions and masked_lm_ids [B, P] (int32), and
            masked_lm_weights [B, P] (float32).
        """
        seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 4))
        maskable = input_mask == 1  # [B, S]
        for special in self.never:
            maskable &= input_ids != special
        units = self._units(input_ids, maskable, seeds[0])  # [B, S]
        lengths = tf.reduce_sum(input_mask, axis=1)
        chosen = self._choose(_sizes(units, maskable), lengths, seeds[1])  # [B, U]
        hidden = _at_tokens(chosen, units) & maskable  # [B, S]
        masked = self._replace(input_ids, hidden, _at_tokens(_spread_ranks(chosen, seeds[2]), units), seeds[3])
        return {INPUT_IDS: masked, **self._predictions(input_ids, hidden)}

    def _units(self, input_ids, maskable, seed):
        """The unit of each token, numbered within its row, int32 [B, S]; None where every token is a unit."""
        if self.config.masking == "token":
            return None
        starts = self._unit_starts(input_ids, maskable, seed)
        return tf.maximum(tf.cumsum(tf.cast(starts, tf.int32), axis=1) - 1, 0)

    def _unit_starts(self, input_ids, maskable, seed):
        """True at tokens that begin a unit, bool [B, S]."""
        follows = tf.pad(maskable[:, :-1], [[0, 0], [1, 0]])  # the token before can be masked too
        words = maskable & (tf.gather(self.starts_word, input_ids) | ~follows)
        if self.config.masking == "whole_word":
            return words
        return words & (self._ngram_starts(words, seed) | ~follows)

    def _ngram_starts(self, words, seed):
        """Divides the words of each row into n-grams of random lengths; True where one begins, bool [B, S]."""
        sizes = np.arange(1, self.config.max_ngram + 1)
        cumulative = np.cumsum(1 / sizes) / np.sum(1 / sizes)
        draws = tf.random.stateless_uniform(tf.shape(words), seed)
        tiles = tf.searchsorted(cumulative[:-1].astype(np.float32), tf.reshape(draws, [-1]), side="right") + 1
        edges = tf.cumsum(tf.reshape(tiles, tf.shape(words)), axis=1)  # [B, U] first word of the next n-gram
        word = tf.cumsum(tf.cast(words, tf.int32), axis=1) - 1  # [B, S]
        tile = tf.searchsorted(edges, word, side="right")
        return tile != tf.pad(tile[:, :-1], [[0, 0], [1, 0]], constant_values=-1)

    def _choose(self, sizes, lengths, seed):
        """Chooses the masked units, bool [B, U], given the sizes of units [B, U] and the lengths of rows [B]."""
        keys = tf.where(sizes > 0, tf.random.stateless_uniform(tf.shape(sizes), seed), -1.0)
        # Of units of one token each, at most P are needed.
        most = self.config.max_predictions if self.config.masking == "token" else tf.int32.max
        order = tf.math.top_k(keys, tf.minimum(most, tf.shape(sizes)[1])).indices  # [B, at most U]
        wanted = tf.cast(tf.round(tf.cast(lengths, tf.float64) * self.config.masked_lm_prob), tf.int32)
        room = tf.clip_by_value(wanted, 1, self.config.max_predictions)[:, None]  # [B, 1]
        taken = tf.where(_take_what_fits(tf.gather(sizes, order, batch_dims=1), room))
        places = tf.stack([tf.cast(taken[:, 0], tf.int32), tf.gather_nd(order, taken)], 1)
        return tf.scatter_nd(places, tf.ones(tf.shape(places)[:1], tf.int32), tf.shape(sizes)) > 0

    def _replace(self, input_ids, hidden, action, seed):
        draws = tf.random.stateless_uniform(tf.shape(input_ids), seed, maxval=len(self.ordinary), dtype=tf.int32)
        replacement = tf.where(action < 0.8, self.mask_id, tf.gather(self.ordinary, draws))
        return tf.where(hidden & (action < 0.9), replacement, input_ids)

    def _predictions(self, input_ids, hidden):
        """The first P masked positions of each row, from left to right, with the tokens that were there."""
        rows, places = tf.unstack(tf.cast(tf.where(hidden), tf.int32), axis=1)
        found = tf.RaggedTensor.from_value_rowids(places, rows, tf.shape(hidden)[0], validate=False)
        positions = found.to_tensor(-1, shape=[None, self.config.max_predictions])  # [B, P]
        positions.set_shape([input_ids.shape[0], None])
        real = positions >= 0
        positions = tf.where(real, positions, 0)
        return {
            MASKED_LM_POSITIONS: positions,
            MASKED_LM_IDS: tf.where(real, tf.gather(input_ids, positions, batch_dims=1), 0),
            MASKED_LM_WEIGHTS: tf.cast(real, tf.float32),
        }


def _sizes(units, maskable):
    """Tokens in each unit, int32 [B, U] with U = S."""
    counted = tf.cast(maskable, tf.int32)
    if units is None:
        return counted
    rows, width = tf.shape(units)[0], tf.shape(units)[1]
    places = units + width * tf.range(rows)[:, None]
    sizes = tf.math.unsorted_segment_sum(tf.reshape(counted, [-1]), tf.reshape(places, [-1]), rows * width)
    return tf.reshape(sizes, [rows, width])


def _at_tokens(values, units):
    """Values of units [B, U], repeated for each of their tokens [B, S]."""
    return values if units is None else tf.gather(values, units, batch_dims=1)


def _take_what_fits(sizes, room):
    """Takes units from left to right where they still fit: sizes int [B, U], room [B, 1], result bool [B, U]."""

    def step(taken, waiting, room):
        fits = waiting & (tf.cumsum(tf.where(waiting, sizes, 0), axis=1) <= room)
        room -= tf.reduce_sum(tf.where(fits, sizes, 0), axis=1, keepdims=True)
        return taken | fits, waiting & ~fits & (sizes <= room), room

    state = (tf.zeros_like(sizes, tf.bool), sizes > 0, room)
    return tf.while_loop(lambda taken, waiting, room: tf.reduce_any(waiting), step, state)[0]


def _spread_ranks(chosen, seed):
    """Evenly spaced numbers in [0, 1), assigned at random to the chosen units: float32 [B, U], 1.0 elsewhere."""
    places = tf.where(chosen)
    count = tf.shape(places)[0]
    order = tf.argsort(tf.random.stateless_uniform([count], seed))
    strata = (tf.cast(order, tf.float32) + 0.5) / tf.cast(tf.maximum(count, 1), tf.float32)
    return tf.tensor_scatter_nd_update(tf.ones(tf.shape(chosen)), places, strata)
