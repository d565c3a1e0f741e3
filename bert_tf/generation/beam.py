"""Beam search, with the scores and the rules to stop of transformers 5 (generation/utils.py, `_beam_search`)."""

import tensorflow as tf

from bert_tf.generation.config import GenerationConfig
from bert_tf.generation.greedy import first_tokens, put
from bert_tf.generation.logits import forbid, top_k

# B batch, K beams, T target, V vocabulary, C candidates = 2 K

LOWEST = -1e9  # score of what must not be chosen


class BeamSearch:
    """State and choice of a beam search.

    The state has, beside `index`, `sequences` [B, K, T], `owners` [B, K, T] and `done` as that of `GreedySearch`:
    `scores` float32 [B, K], log probabilities of the running beams; `best`, `best_scores` and `best_lengths`, the best
    finished targets with their scores and number of tokens; `is_finished` bool [B, K], which of them there are; and
    `improvable` bool [B, 1], whether a better one may be found.
    """

    def __init__(self, config: GenerationConfig, start_id: int, end_id: int, pad_id: int):
        self.config = config
        # As in their beam search: where the padding is 0, the end token fills the targets up.
        self.start_id, self.end_id, self.fill_id = start_id, end_id, pad_id or end_id

    def start(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """The state of beams of the start token alone, of which the first is continued."""
        beams = self.config.num_beams
        sequences = first_tokens(batch, self.config, self.start_id, self.fill_id)
        return {
            "index": tf.constant(0),
            "sequences": sequences,
            "owners": tf.fill([batch, beams, self.config.max_length], -1),
            "done": tf.constant(False),
            "scores": tf.tile([[0.0] + [LOWEST] * (beams - 1)], [batch, 1]),
            "best": sequences,
            "best_scores": tf.fill([batch, beams], LOWEST),
            "best_lengths": tf.ones([batch, beams], tf.int32),
            "is_finished": tf.zeros([batch, beams], tf.bool),
            "improvable": tf.ones([batch, 1], tf.bool),
        }

    def choose(self, state: dict[str, tf.Tensor], logits: tf.Tensor) -> dict[str, tf.Tensor]:
        """The state with one more token of each beam, from float32 logits [B, K, V]."""
        beams, index = self.config.num_beams, state["index"]
        scores, parents, tokens = self._candidates(state, logits)  # [B, C] each
        sequences = put(tf.gather(state["sequences"], parents, batch_dims=1), index + 1, tokens)  # [B, C, T]
        ends = (tokens == self.end_id) | (index + 2 >= self.config.max_length)  # [B, C]

        running, chosen = tf.math.top_k(scores + tf.cast(ends, tf.float32) * LOWEST, beams)  # [B, K]
        owners = tf.gather(state["owners"], tf.gather(parents, chosen, batch_dims=1), batch_dims=1)
        state = self._with_finished(state, sequences, scores, ends)
        improvable = state["improvable"] & self._is_improvable(state, running)
        is_full = tf.reduce_all(state["is_finished"]) & (self.config.early_stopping is True)
        return state | {
            "sequences": tf.gather(sequences, chosen, batch_dims=1),
            "owners": owners,
            "scores": running,
            "improvable": improvable,
            "done": ~tf.reduce_any(improvable) | is_full | tf.reduce_all(ends),
        }

    def _candidates(self, state, logits):
        """The C best continuations of each source: log probability, beam and token, [B, C] each."""
        beams = self.config.num_beams
        size, length = logits.shape[2], state["sequences"].shape[2]
        logits = tf.reshape(logits, [-1, size])  # [B * K, V]
        rows = tf.reshape(state["sequences"], [-1, length])
        allowed = forbid(logits, rows, state["index"] + 1, self.end_id, self.config)
        # The best of all are among the best of each beam: no need to sort, or to normalise, the others.
        values, ids = top_k(allowed, min(2 * beams, size))
        highest = values[:, :1] if allowed is logits else tf.reduce_max(logits, 1, keepdims=True)  # [B * K, 1]
        sums = highest[:, 0] + tf.math.log(tf.reduce_sum(tf.exp(logits - highest), 1))  # of all, forbidden ones too
        values += (tf.reshape(state["scores"], [-1]) - sums)[:, None]
        each = ids.shape[1]
        scores, places = tf.math.top_k(tf.reshape(values, [-1, beams * each]), 2 * beams)  # [B, C]
        tokens = tf.gather(tf.reshape(ids, [-1, beams * each]), places, batch_dims=1)
        return scores, places // each, tokens

    def _with_finished(self, state, sequences, scores, ends):
        """The state with the K best finished targets of those known and the candidates."""
        config, index = self.config, state["index"]
        ends &= tf.range(2 * config.num_beams) < config.num_beams  # the others are there to continue only
        scores = scores / self._penalty(index + 1)
        is_full = tf.reduce_all(state["is_finished"], 1, keepdims=True) & (config.early_stopping is True)  # [B, 1]
        for refused in (is_full, ~state["improvable"], ~ends):
            scores += tf.cast(refused, tf.float32) * LOWEST
        best_scores, chosen = tf.math.top_k(tf.concat([state["best_scores"], scores], 1), config.num_beams)
        new = {
            "best": sequences,
            "best_lengths": tf.fill(tf.shape(ends), index + 2),
            "is_finished": ends,
        }
        kept = {}
        for name, value in new.items():
            kept[name] = tf.gather(tf.concat([state[name], value], 1), chosen, batch_dims=1)
        return state | kept | {"best_scores": best_scores}

    def _is_improvable(self, state, running):
        """Whether the best running beam may end above the worst finished target: bool [B, 1]."""
        config = self.config
        tokens = state["index"] + 1
        if config.early_stopping == "never" and config.length_penalty > 0:
            tokens = tf.constant(config.max_length - 1)
        worst = tf.reduce_min(state["best_scores"], 1, keepdims=True)
        worst = tf.where(state["is_finished"], worst, LOWEST)  # [B, K]
        return tf.reduce_any(running[:, :1] / self._penalty(tokens) > worst, 1, keepdims=True)

    def _penalty(self, tokens):
        return tf.cast(tf.cast(tokens, tf.float64) ** self.config.length_penalty, tf.float32)

    def result(self, state: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """The best target of each source, int32 [B, T], and its score, float32 [B]."""
        length = tf.reduce_max(tf.concat([state["best_lengths"][:, 0], [1]], 0))
        return state["best"][:, 0, :length], state["best_scores"][:, 0]
