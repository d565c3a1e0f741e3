"""A search outside of the graph: the decoder is a function that is called for one token at a time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.generation.config import GenerationConfig
from bert_tf.generation.generate import make_strategy, with_own

# K beams, T target, V vocabulary

# (token, its number in the target, cache) to (logits of the next token, float32 [V], cache with the token)
Step = Callable[[int, int, Any], tuple[np.ndarray, Any]]


class StepwiseSearch:
    """The search of `generate_tokens` for one source at a time; arguments as for `GreedySearch`.

    Attributes:
        fill_id: the token after the end of a target, in rows of several targets.
    """

    def __init__(self, config: GenerationConfig, start_id: int, end_id: int, pad_id: int):
        self.config = config
        self._strategy = make_strategy(config, start_id, end_id, pad_id)
        self.fill_id = self._strategy.fill_id

    def __call__(self, step: Step, cache: Any) -> np.ndarray:
        """Token ids of the target, int32 [up to T], the start token first.

        Args:
            step: called for each beam's latest token. It must not change the cache that it receives.
            cache: of no tokens.
        """
        state = self._strategy.start(tf.constant(1))
        caches = [cache] * self.config.num_beams
        for index in range(self.config.max_length - 1):
            tokens = state["sequences"].numpy()[0, :, index].tolist()  # of K beams
            answers = [step(token, index, cache) for token, cache in zip(tokens, caches, strict=True)]
            logits = tf.stack([logits for logits, _ in answers])[tf.newaxis]  # [1, K, V]
            state = self._choose(state, logits)
            parents = state["owners"].numpy()[0, :, index].tolist()  # the beams that the K beams continue
            caches = [answers[parent][1] for parent in parents]
            if state["done"]:
                break
        ids, _ = self._strategy.result(state)
        return ids.numpy()[0]

    def _choose(self, state: dict[str, tf.Tensor], logits: tf.Tensor) -> dict[str, tf.Tensor]:
        # Eager, because within tf.numpy_function a graph would wait for the thread that the function occupies.
        state = state | {"owners": with_own(state["owners"], state["index"])}
        return self._strategy.choose(state, logits) | {"index": state["index"] + 1}
