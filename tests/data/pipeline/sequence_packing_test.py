"""Packing: rows that are full, and examples that come through unchanged."""

import hypothesis
import numpy as np
import tensorflow as tf
from hypothesis import strategies

from bert_tf.data.pipeline.sequence_packing import best_fit, pack_features


@hypothesis.given(strategies.lists(strategies.integers(1, 40), min_size=1, max_size=200))
def test_best_fit_is_that_of_one_at_a_time(lengths):
    lengths = sorted(lengths, reverse=True)
    rows = []
    for length in lengths:
        fitting = [row for row, used in enumerate(rows) if used + length <= 40]
        if fitting:
            rows[max(fitting, key=lambda row: rows[row])] += length
        else:
            rows.append(length)
    packed = np.bincount(best_fit(lengths, 40), weights=lengths)
    assert len(packed) == len(rows) and packed.max() <= 40
    assert sorted(packed.tolist()) == sorted(rows)


def test_pairs_that_match_fill_every_row():
    lengths = np.array([90] * 1000 + [38] * 1000)
    packed = np.bincount(best_fit(lengths, 128), weights=lengths)
    assert np.all(packed == 128)


def test_features_of_packed_rows_by_hand():
    features = {
        "input_ids": [[2, 7, 3, 0], [2, 8, 9, 3], [2, 5, 3, 0]],
        "input_mask": [[1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 0]],
        "segment_ids": [[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0]],
        "masked_lm_positions": [[1, 0], [1, 2], [1, 0]],
        "masked_lm_ids": [[70, 0], [80, 90], [50, 0]],
        "next_sentence_labels": [[1], [0], [1]],
    }
    features = {name: tf.constant(value) for name, value in features.items()}
    features["masked_lm_weights"] = tf.constant([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
    packed = pack_features(features, tf.constant([2, 1]), row_length=8, predictions=4, examples=3)
    expected = {
        "input_ids": [[2, 7, 3, 2, 8, 9, 3, 0], [2, 5, 3, 0, 0, 0, 0, 0]],
        "input_mask": [[1, 1, 1, 1, 1, 1, 1, 0], [1, 1, 1, 0, 0, 0, 0, 0]],
        "segment_ids": [[0, 0, 0, 0, 0, 1, 1, 0], [0, 1, 1, 0, 0, 0, 0, 0]],
        "position_ids": [[0, 1, 2, 0, 1, 2, 3, 0], [0, 1, 2, 0, 0, 0, 0, 0]],
        "example_ids": [[1, 1, 1, 2, 2, 2, 2, 0], [1, 1, 1, 0, 0, 0, 0, 0]],
        "masked_lm_positions": [[1, 4, 5, 0], [1, 0, 0, 0]],
        "masked_lm_ids": [[70, 80, 90, 0], [50, 0, 0, 0]],
        "masked_lm_weights": [[1, 1, 1, 0], [1, 0, 0, 0]],
        "cls_positions": [[0, 3, 0], [0, 0, 0]],
        "next_sentence_labels": [[1, 0, 0], [1, 0, 0]],
    }
    assert packed.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(packed[name], value, err_msg=name)
