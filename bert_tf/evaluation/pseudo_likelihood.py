"""Pseudo-log-likelihoods of a masked LM (Salazar et al. 2020): of tokens, each where it alone is masked."""

from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core import features

# N sentences, S tokens of each, K positions, V vocabulary

_ROWS = 64  # computed together


def log_probabilities(model: Any) -> Any:
    """A graph from the inputs of a `FillMask` to the log probabilities of its tokens at the first position, [N, V]."""
    return tf.function(
        lambda inputs: tf.nn.log_softmax(model(inputs, training=False)[:, 0, : model.tokenizer.vocab_size]),
        input_signature=[{name: tf.TensorSpec([None, None], tf.int32) for name in model.INPUTS}],
        autograph=False,
    )


class PseudoLikelihood:
    """Scores sentences of a `FillMask` by the log probabilities of some of their tokens."""

    def __init__(self, model: Any):
        self.model = model
        self.graph = log_probabilities(model)

    def __call__(self, ids: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The sum of the log probabilities of the tokens at `positions`, int [K], of ids [N, S]: float64 [N]."""
        rows = np.repeat(ids, len(positions), 0)  # [N * K, S]
        places = np.tile(positions, len(ids)).astype("int32")  # [N * K]
        numbers = np.arange(len(rows))
        tokens = rows[numbers, places]
        rows[numbers, places] = self.model.tokenizer.mask_id
        found = []
        for begin in range(0, len(rows), _ROWS):
            part, chosen = tf.constant(rows[begin : begin + _ROWS]), places[begin : begin + _ROWS]
            inputs = {
                features.INPUT_IDS: part,
                features.INPUT_MASK: tf.ones_like(part),
                features.SEGMENT_IDS: tf.zeros_like(part),
                features.MASKED_LM_POSITIONS: tf.constant(chosen[:, np.newaxis]),
            }
            logs = self.graph(inputs).numpy()  # [rows, V]
            found.append(logs[np.arange(len(chosen)), tokens[begin : begin + _ROWS]])
        return np.concatenate(found).astype("float64").reshape(len(ids), -1).sum(1)
