"""Changes to the scores of the next token: forbidden tokens, and the draw of one."""

import math

import tensorflow as tf

from bert_tf.generation.config import GenerationConfig

# N sequences, T tokens, V vocabulary

LOWEST = -float("inf")


def forbid(
    scores: tf.Tensor, sequences: tf.Tensor, length: tf.Tensor, end_id: int, config: GenerationConfig
) -> tf.Tensor:
    """Scores [N, V] with -inf for tokens that must not follow the first `length` tokens of `sequences` [N, T]."""
    if config.min_length > 1:
        is_end = tf.range(tf.shape(scores)[1]) == end_id  # [V]
        scores = tf.where(is_end & (length < config.min_length), LOWEST, scores)
    size = config.no_repeat_ngram_size
    if 0 < size < config.max_length:
        places = tf.where(_repeated(sequences, length, size))  # [repeats, 2]: sequence, first token of the n-gram
        last = tf.gather_nd(sequences, places + [0, size - 1])  # the tokens that would repeat it
        places = tf.stack([places[:, 0], tf.cast(last, places.dtype)], 1)
        scores = tf.tensor_scatter_nd_update(scores, places, tf.fill([tf.shape(places)[0]], LOWEST))
    return scores


def top_k(scores: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """As `tf.math.top_k` of scores [N, V]: values and ids [N, count], falling.

    That op takes several times as long as one pass over the scores. So places are put into V / G groups of G, of which
    only the best ones, by their highest scores, are sorted.
    """
    size = scores.shape[1]
    most = math.isqrt(size // count)  # where both sorts are of about as many
    group = max(number for number in range(1, max(most, 1) + 1) if size % number == 0)  # G
    if group == 1:
        return tf.math.top_k(scores, count)
    groups = size // group
    _, best = tf.math.top_k(tf.reduce_max(tf.reshape(scores, [-1, group, groups]), 1), count)  # [N, count]
    ids = best[:, None] + tf.range(group)[:, None] * groups  # [N, G, count]
    ids = tf.reshape(ids, [-1, group * count])
    values, places = tf.math.top_k(tf.gather(scores, ids, batch_dims=1), count)
    return values, tf.gather(ids, places, batch_dims=1)


def _repeated(sequences, length, size):
    """Where n-grams begin whose first n - 1 tokens are the latest of the sequence, n = `size`: bool [N, T - n + 1]."""
    starts = tf.shape(sequences)[1] - size + 1
    repeated = tf.range(starts) + size <= length  # [starts]
    repeated = tf.broadcast_to(repeated, [tf.shape(sequences)[0], starts])
    for i in range(size - 1):
        latest = tf.gather(sequences, tf.maximum(length - size + 1 + i, 0), axis=1)  # [N]
        repeated &= sequences[:, i : i + starts] == latest[:, None]
    return repeated


def draw(logits: tf.Tensor, seed: tf.Tensor, config: GenerationConfig) -> tf.Tensor:
    """Token ids int32 [N], drawn from logits [N, V]; `seed` is int32 [2]."""
    logits = logits / config.temperature
    size = logits.shape[1]
    if not config.top_k and config.top_p == 1.0:
        return tf.random.stateless_categorical(logits, 1, seed, tf.int32)[:, 0]
    values, ids = tf.math.top_k(logits, min(config.top_k or size, size))  # [N, k], falling
    probabilities = tf.nn.softmax(values)
    before = tf.cumsum(probabilities, 1, exclusive=True)
    values = tf.where(before < config.top_p, values, -float("inf"))
    place = tf.random.stateless_categorical(values, 1, seed, tf.int32)  # [N, 1]
    return tf.gather(ids, place, batch_dims=1)[:, 0]
