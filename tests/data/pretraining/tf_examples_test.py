"""Serialized examples against the protocol buffer library's own reading."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.data.pretraining.tf_examples import features_of, parse, serialize

ROWS = {
    "input_ids": np.array([[0, 1, 127, 128], [16383, 16384, 2097151, 2097152], [2**31 - 1, 5, 0, 9]], np.int32),
    "input_mask": np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]], np.int32),
    "segment_ids": np.array([[0, 1], [1, 1], [0, 0]], np.int32),
    "masked_lm_weights": np.array([[1.0, 0.0], [0.5, -3.25], [1e-8, 1e8]], np.float32),
    "next_sentence_labels": np.array([[0], [1], [0]], np.int32),
}


@pytest.mark.parametrize("schema, ids", [("google", "input_ids"), ("model_garden", "input_word_ids")])
def test_the_library_reads_what_was_written(schema, ids):
    for number, message in enumerate(serialize(ROWS, schema)):
        feature = tf.train.Example.FromString(message).features.feature
        assert list(feature[ids].int64_list.value) == ROWS["input_ids"][number].tolist()
        assert list(feature["masked_lm_weights"].float_list.value) == ROWS["masked_lm_weights"][number].tolist()
        assert len(feature) == len(ROWS)


def test_messages_are_as_short_as_the_library_makes_them():
    for message in serialize(ROWS):
        assert len(message) == len(tf.train.Example.FromString(message).SerializeToString())


def test_long_rows_have_long_length_prefixes():
    rows = {"input_ids": np.full((2, 40_000), 300, np.int32)}
    example = tf.train.Example.FromString(serialize(rows)[1])
    assert list(example.features.feature["input_ids"].int64_list.value) == [300] * 40_000


def test_parse_undoes_serialize():
    messages = serialize(ROWS, "model_garden")
    names = {name: name for name in ROWS} | {"input_ids": "input_word_ids", "segment_ids": "input_type_ids"}
    found = features_of(messages[0])
    parsed = parse(np.array(messages, object), names, {ours: found[theirs] for ours, theirs in names.items()})
    for name, values in ROWS.items():
        np.testing.assert_array_equal(parsed[name], values)
        assert parsed[name].dtype == values.dtype
