"""Rows of sources and targets, worked by hand."""

import logging

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import InputError
from bert_tf.tasks.generation import SPEC
from bert_tf.tasks.generation.preprocessor import GenerationPreprocessor
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import VOCABULARY

PAD, CLS, SEP, GOOD, BAD, FILM, A = 0, 2, 3, 5, 6, 7, 8


@pytest.fixture(scope="module")
def preprocessor():
    return GenerationPreprocessor(SPEC, Tokenizer(VOCABULARY), 5, 4, CLS, SEP)


def test_targets_are_shifted_and_only_their_tokens_count(preprocessor):
    examples = preprocessor.prepare(["good film", "a"], ["bad", "a film"], [1.0, 0.5])
    inputs, targets, weights = examples.whole()
    assert inputs["input_ids"].numpy().tolist() == [[CLS, GOOD, FILM, SEP], [CLS, A, SEP, PAD]]
    assert inputs["target_ids"].numpy().tolist() == [[CLS, BAD, PAD], [CLS, A, FILM]]
    assert inputs["target_mask"].numpy().tolist() == [[1, 1, 0], [1, 1, 1]]
    assert targets.numpy().tolist() == [[BAD, SEP, 0], [A, FILM, SEP]]
    assert weights.numpy().tolist() == [[1, 1, 0], [0.5, 0.5, 0.5]]
    assert examples.lengths.tolist() == [4 + 2, 3 + 3]


def test_a_batch_is_the_same_whether_its_rows_were_kept_or_are_made(preprocessor):
    texts, targets = preprocessor.encode_examples(["good film", "a", "film"], ["bad", "a film", "good good good"])
    made = preprocessor.to_batch(texts, targets)
    kept = preprocessor.prepare(["good film", "a", "film"], ["bad", "a film", "good good good"]).whole()
    tf.nest.map_structure(np.testing.assert_array_equal, made, kept)


def test_pairs_are_one_source(preprocessor):
    rows = preprocessor(preprocessor.encode_texts((["good", "film"], ["bad", ""])))
    assert rows["input_ids"].numpy().tolist() == [[CLS, GOOD, SEP, BAD, SEP], [CLS, FILM, SEP, PAD, PAD]]
    assert rows["segment_ids"].numpy().tolist() == [[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]
    assert rows["target_ids"].numpy().tolist() == [[CLS], [CLS]]  # what `predict` of texts begins with


def test_what_is_too_long_is_cut_and_said(preprocessor, caplog):
    with caplog.at_level(logging.WARNING):
        examples = preprocessor.prepare(["a a a", "a a a a", "good"], ["a a", "good", "a bad film"])
    assert examples.whole()[1].numpy().tolist() == [[A, A, SEP], [GOOD, SEP, 0], [A, BAD, FILM]]  # without an end
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "1 of 3 sources have more than 5 tokens and are cut.",
        "1 of 3 targets have more than 4 tokens and are cut.",
    ]


@pytest.mark.parametrize(
    ("texts", "targets", "message"),
    [
        (["a", "a"], ["good", " "], "Row 1: the target is empty"),
        (["a", "a"], ["good", 3], "Row 1: the target is 3, which is not a string"),
        (["", "a"], ["good", "a"], "Row 0: the text is empty"),
        (["a", "a"], ["good"], "2 texts and 1 targets"),
        (["a"], None, "texts without targets"),
    ],
)
def test_bad_examples(texts, targets, message, preprocessor):
    with pytest.raises(InputError, match=message):
        preprocessor.encode(texts, targets, training=True)


def test_an_empty_source_is_refused(preprocessor):
    with pytest.raises(InputError, match="Row 1: the text is empty"):
        preprocessor.prepare_inference(["a", ""])
