"""One target per source: the most likely token each time, or a drawn one."""

import tensorflow as tf

from bert_tf.generation.config import GenerationConfig
from bert_tf.generation.logits import draw, forbid

# B batch, T target, V vocabulary


class GreedySearch:
    """State and choice of a search with one target per source.

    The state is a dict: `index`, number of the latest token; `sequences` int32 [B, 1, T]; `owners` int32 [B, 1, T], of
    the cache; `done`, whether all targets are finished; `finished` bool [B]; `seed` int32.
    """

    def __init__(self, config: GenerationConfig, start_id: int, end_id: int, pad_id: int):
        self.config = config
        self.start_id, self.end_id, self.fill_id = start_id, end_id, pad_id

    def start(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """The state of targets of the start token alone."""
        seed = self.config.seed
        if seed is None:
            seed = tf.random.uniform([], 0, 2**31 - 1, tf.int32) if self.config.draws else 0
        return {
            "index": tf.constant(0),
            "sequences": first_tokens(batch, self.config, self.start_id, self.fill_id),
            "owners": tf.fill([batch, 1, self.config.max_length], -1),
            "done": tf.constant(False),
            "finished": tf.zeros([batch], tf.bool),
            "seed": tf.convert_to_tensor(seed, tf.int32),
        }

    def choose(self, state: dict[str, tf.Tensor], logits: tf.Tensor) -> dict[str, tf.Tensor]:
        """The state with one more token of each target, from float32 logits [B, 1, V]."""
        index, sequences, finished = state["index"], state["sequences"], state["finished"]
        scores = forbid(logits[:, 0], sequences[:, 0], index + 1, self.end_id, self.config)  # [B, V]
        if self.config.draws:
            tokens = draw(scores, tf.stack([state["seed"], index]), self.config)  # [B]
        else:
            tokens = tf.argmax(scores, 1, tf.int32)
        tokens = tf.where(finished, self.fill_id, tokens)
        finished |= tokens == self.end_id
        sequences = put(sequences, index + 1, tokens[:, None])
        return state | {"sequences": sequences, "finished": finished, "done": tf.reduce_all(finished)}

    def result(self, state: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Targets int32 [B, T] and scores of 0, float32 [B]."""
        return state["sequences"][:, 0, : state["index"] + 1], tf.zeros(tf.shape(state["finished"]))


def first_tokens(batch: tf.Tensor, config: GenerationConfig, start_id: int, pad_id: int) -> tf.Tensor:
    """Sequences of the start token and padding, int32 [B, K, T]."""
    row = tf.constant([start_id] + [pad_id] * (config.max_length - 1))
    return tf.tile(row[None, None], [batch, config.num_beams, 1])


def put(sequences: tf.Tensor, index: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
    """`sequences` [B, K, T] with `tokens` [B, K] as those number `index`."""
    return tf.where(tf.range(sequences.shape[2]) == index, tokens[:, :, None], sequences)
