"""Rows that a model answers in parts: what the whole gives, of parts no longer than they must be."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.tasks import TextClassifier
from bert_tf.tasks.base.microbatch import call_in_microbatches
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import SIZES, VOCABULARY

LENGTHS = [3, 40, 1, 17, 16, 60, 2, 33, 0]
MASK = tf.sequence_mask(LENGTHS, 60, tf.int32)
INPUTS = {
    "input_ids": MASK * tf.reshape(tf.range(9 * 60), (9, 60)),
    "input_mask": MASK,
    "segment_ids": tf.zeros_like(MASK),
    "masked_lm_positions": tf.reshape(tf.range(18), (9, 2)),
}


@pytest.mark.parametrize("rows", [1, 2, 4, 9, 20])
def test_parts_give_what_the_whole_gives(rows):
    sizes = []

    def call(part):
        sizes.append(len(part["input_ids"]))
        ids = tf.cast(part["input_ids"], tf.float32)
        return {"pieces": ids * 2, "spots": tf.cast(part["masked_lm_positions"], tf.float32)}

    whole = call(INPUTS)
    pieces = call_in_microbatches(lambda part: call(part)["pieces"], INPUTS, rows, per_token=True)
    np.testing.assert_array_equal(pieces, whole["pieces"])
    spots = call_in_microbatches(lambda part: {"spots": call(part)["spots"]}, INPUTS, rows, {"spots": tf.float32})
    np.testing.assert_array_equal(spots["spots"], whole["spots"])
    assert max(sizes[1:]) <= rows  # the first is the whole


def test_a_part_is_as_long_as_its_longest_row():
    shapes = []

    def call(part):
        shapes.append(tuple(part["input_ids"].shape))
        return tf.zeros(part["input_ids"].shape[:1])

    call_in_microbatches(call, INPUTS, 2)
    assert shapes == [(2, 1), (2, 3), (2, 17), (2, 40), (2, 60)]
    shapes.clear()
    call_in_microbatches(call, INPUTS, 3)
    assert shapes == [(3, 2), (3, 17), (3, 60)]


@pytest.mark.parametrize(
    ("lengths", "shapes"),
    [
        ([5, 30] * 16, [(8, 5), (8, 5), (8, 30), (8, 30)]),
        ([28, 30] * 16, [(32, 30)]),  # too little padding
        ([5, 30] * 7, [(14, 30)]),  # too few rows
    ],
)
def test_rows_of_unequal_length_go_into_more_parts(lengths, shapes):
    mask = tf.sequence_mask(lengths, dtype=tf.int32)
    seen = []

    def call(part):
        seen.append(tuple(part["input_ids"].shape))
        return tf.reduce_sum(part["input_ids"], 1)

    inputs = {"input_ids": mask, "input_mask": mask}
    found = call_in_microbatches(call, inputs, dtypes=tf.int32)
    np.testing.assert_array_equal(found, lengths)
    assert seen == shapes
    seen.clear()
    call_in_microbatches(call, inputs, dtypes=tf.int32, save_padding=False)
    assert seen == [(len(lengths), 30)]


def test_a_task_answers_in_parts(monkeypatch):
    model, seen = TextClassifier(Tokenizer(VOCABULARY), ["neg", "pos"], max_length=16, **SIZES), []

    def zeros(ids):
        seen.append(list(ids.shape))
        return np.zeros((len(ids), 2), "float32")

    def call(inputs, training=None):
        return tf.ensure_shape(tf.numpy_function(zeros, [inputs["input_ids"]], tf.float32), [None, 2])

    monkeypatch.setattr(model, "call", call)
    model.serve(tf.constant(["good " * (1 + 12 * (number % 2)) for number in range(64)]))
    assert seen == [[32, 3], [32, 15]]


def test_pieces_behind_a_gap_count():
    """A request of pieces may have any mask."""
    inputs = {name: tf.constant([[1, 0] * 15 + [1]]) for name in INPUTS}
    found = call_in_microbatches(lambda part: tf.cast(part["input_ids"], tf.float32), inputs, per_token=True)
    np.testing.assert_array_equal(found, inputs["input_ids"])


def test_no_rows():
    inputs = {name: value[:0] for name, value in INPUTS.items()}
    assert call_in_microbatches(lambda part: tf.zeros((tf.shape(part["input_ids"])[0], 3)), inputs).shape == (0, 3)
    pieces = call_in_microbatches(lambda part: tf.cast(part["input_ids"], tf.float32), inputs, per_token=True)
    assert pieces.shape == (0, 60)


def test_several_texts_a_row():
    inputs = {name: tf.reshape(INPUTS[name][:8], (4, 2, -1)) for name in ("input_ids", "input_mask", "segment_ids")}
    found = call_in_microbatches(lambda part: tf.cast(tf.reduce_sum(part["input_ids"], 2), tf.float32), inputs, 2)
    np.testing.assert_array_equal(found, tf.reduce_sum(inputs["input_ids"], 2))
