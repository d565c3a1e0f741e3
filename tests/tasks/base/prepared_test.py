"""Prepared examples: every text is tokenized once, however often it is trained on or evaluated."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.tasks import TextEmbedder
from bert_tf.text.tokenizers.wordpiece import WordPieceTokenizer
from tests.tasks.contract_test import CASES, first_rows, make


@pytest.fixture
def tokenized(monkeypatch):
    """How often each text went through the tokenizer."""
    counts = collections.Counter()

    def count_texts_of(method):
        original = getattr(WordPieceTokenizer, method)

        def counted(self, texts):
            counts.update(tf.convert_to_tensor(texts).numpy().tolist())
            return original(self, texts)

        monkeypatch.setattr(WordPieceTokenizer, method, counted)

    count_texts_of("__call__")
    count_texts_of("with_offsets")
    return counts


def numbered(texts, first):
    """The texts, each made different from all others by a number; of lists of words the first word is."""
    if isinstance(texts, tuple):
        return tuple(numbered(column, first + 100 * i) for i, column in enumerate(texts))
    if isinstance(texts[0], list):
        return [[f"{word}{first}x{i}x{place}" for place, word in enumerate(words)] for i, words in enumerate(texts)]
    return [f"{text} {first}x{i}" for i, text in enumerate(texts)]


@pytest.mark.parametrize("name", ["classification", "tagging", "question_answering"])
def test_fit_tokenizes_each_text_once(name, tokenized):
    case = CASES[name]
    model = make(case)
    texts, validation = (numbered(first_rows(case, 6), first) for first in (1000, 5000))
    model.compile()
    validation_data = (validation, case.targets[:6])
    model.fit(texts, case.targets[:6], epochs=3, batch_size=4, seed=0, verbose=0, validation_data=validation_data)
    assert set(tokenized.values()) == {1}
    columns = [column for data in (texts, validation) for column in (data if isinstance(data, tuple) else (data,))]
    expected = sum(len(text) if isinstance(text, list) else 1 for column in columns for text in column)
    assert len(tokenized) == expected


@pytest.mark.parametrize("name", ["classification", "pairs", "tagging", "question_answering", "embedding"])
def test_prepared_examples_are_scored_as_texts(name, tokenized):
    case = CASES[name]
    model = make(case)
    texts, targets = first_rows(case, 6), case.targets[:6]
    prepared = model.preprocessor.prepare_inference(texts)
    expected = model.score(texts, targets)
    tokenized.clear()
    assert model.score_prepared(prepared, targets) == expected
    assert model.predict_prepared(prepared) == model.predict_prepared(prepared)
    assert not tokenized


@pytest.mark.parametrize("objective", ["similarity", "contrastive"])
def test_columns_are_padded_to_one_width(objective):
    case = CASES["embedding"]
    model = (
        make(case)
        if objective == "similarity"
        else make(type(case)(TextEmbedder, {"objective": objective}, *[None] * 3))
    )
    prepared = model.preprocessor.prepare((["a", "bad"], ["a good film", "a"]), [0.5, 1.0])
    assert prepared.lengths.tolist() == [5, 3]
    inputs, _ = prepared.batch(np.array([1, 0]))
    assert inputs["input_mask"].numpy().sum(-1).tolist() == [[3, 3], [3, 5]]
    assert inputs["input_ids"].shape == (2, 2, 5)


def test_no_texts_give_no_answers():
    for name in ("classification", "tagging"):
        assert make(CASES[name]).predict_text([]) == []
