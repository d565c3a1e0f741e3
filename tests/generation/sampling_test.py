"""The draw of the next token."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.generation import generate_tokens
from bert_tf.generation.config import GenerationConfig
from bert_tf.generation.logits import draw
from bert_tf.modeling.decoders.model import Seq2Seq

LOGITS = np.log([0.1, 0.5, 0.05, 0.35]).astype("float32")
DRAWS = 20_000


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"temperature": 1.0}, [0.1, 0.5, 0.05, 0.35]),
        ({"temperature": 0.5}, np.array([0.01, 0.25, 0.0025, 0.1225]) / 0.385),
        ({"top_k": 1}, [0, 1, 0, 0]),
        ({"top_k": 2}, [0, 0.5 / 0.85, 0, 0.35 / 0.85]),
        ({"top_p": 0.4}, [0, 1, 0, 0]),  # the token that exceeds it is kept
        ({"top_p": 0.9}, np.array([0.1, 0.5, 0, 0.35]) / 0.95),
        ({"top_k": 3, "top_p": 0.6}, [0, 0.5 / 0.85, 0, 0.35 / 0.85]),
    ],
)
def test_tokens_are_drawn_by_their_probabilities(settings, expected):
    config = GenerationConfig(max_length=8, **settings)
    logits = tf.tile(LOGITS[None], [DRAWS, 1])
    ids = draw(logits, tf.constant([0, 1]), config).numpy()
    np.testing.assert_allclose(np.bincount(ids, minlength=4) / DRAWS, expected, atol=0.012)
    assert not np.bincount(ids, minlength=4)[np.array(expected) == 0].any()
    np.testing.assert_array_equal(ids, draw(logits, tf.constant([0, 1]), config))


def test_one_graph_draws_by_all_seeds(golden):
    model = Seq2Seq.from_pretrained(golden / "families/bert2bert")
    ids = np.full([4, 6], 7)
    drawn = [generate_tokens(model, ids, max_length=10, seed=seed).numpy().tolist() for seed in (1, 2, 1)]
    assert drawn[0] == drawn[2] != drawn[1]
    assert model.search_graph.experimental_get_tracing_count() == 1
