"""Windows against the loops of google-research/bert's run_squad.py, and answers put together."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.tasks.base import windows


def spans_of(length, size, stride):
    """As run_squad.py makes `doc_spans`; a text of no pieces has one here."""
    found, start = [], 0
    while start < length:
        found.append((start, min(length - start, size)))
        if start + found[-1][1] == length:
            break
        start += min(found[-1][1], stride)
    return found or [(0, 0)]


def is_middle(spans, number, position):
    """As run_squad.py's `_check_is_max_context`."""
    scores = [
        min(position - start, start + length - 1 - position) + 0.01 * length
        if start <= position < start + length
        else -1
        for start, length in spans
    ]
    return int(np.argmax(scores) == number)


@pytest.mark.parametrize("stride", [1, 3, 4, 5, 9])
def test_windows_are_those_of_google(stride):
    lengths = [0, 1, 4, 5, 6, 9, 10, 13, 23]
    sizes = [5, 5, 5, 5, 5, 3, 6, 5, 7]
    texts = tf.ragged.range(lengths)
    cut = windows.cut(texts, sizes, stride, 1)
    spans = [spans_of(length, size, stride) for length, size in zip(lengths, sizes, strict=True)]
    flat = [(text, *span) for text, of_text in enumerate(spans) for span in of_text]
    assert list(zip(cut.texts.numpy(), cut.starts.numpy(), (cut.ends - cut.starts).numpy(), strict=True)) == flat
    assert cut.take(texts).to_list() == [list(range(start, start + length)) for _, start, length in flat]
    expected = [
        [is_middle(of_text, number, place) for place in range(start, start + length)]
        for of_text in spans
        for number, (start, length) in enumerate(of_text)
    ]
    assert cut.max_context_mask().to_list() == expected


def test_places_of_pieces():
    texts = tf.ragged.constant([[5, 6, 7], [8]])
    cut = windows.cut(texts, [2, 2], 1, [1, 3])
    assert cut.place(cut.take(texts), 6).numpy().tolist() == [
        [0, 5, 6, 0, 0, 0],
        [0, 6, 7, 0, 0, 0],
        [0, 0, 0, 8, 0, 0],
    ]


def test_mean_over_the_windows_of_a_text():
    inputs = {windows.WINDOW_TEXTS: tf.constant([0, 0, 1])}
    values = tf.constant([[1.0], [3.0], [7.0]])
    np.testing.assert_allclose(windows.mean_of_texts(values, inputs), [[2.0], [7.0]])
    assert windows.mean_of_texts(values, {}) is values
    assert windows.number_of_texts(inputs) == 2
    assert windows.number_of_texts({windows.WINDOW_TEXTS: tf.zeros(0, tf.int32)}) == 0


def test_stride():
    windows.check_stride(None, 8)
    windows.check_stride(7, 8)
    with pytest.raises(ConfigError, match="stride=8, max_length=8"):
        windows.check_stride(8, 8)
