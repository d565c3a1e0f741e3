"""The best of the scores of a vocabulary."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.generation.logits import top_k


@pytest.mark.parametrize("size", [5, 97, 120, 30522])  # of 97, a prime, no groups can be made
def test_top_k_is_that_of_tensorflow(size):
    scores = tf.random.stateless_normal([3, size], [1, 2]).numpy()
    scores[1, : size - 4] = -np.inf  # forbidden
    expected = tf.math.top_k(scores, 4)
    values, ids = tf.function(top_k)(tf.constant(scores), 4)
    np.testing.assert_array_equal(values, expected.values)
    np.testing.assert_array_equal(ids, expected.indices)
