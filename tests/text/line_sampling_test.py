import tracemalloc

import pytest

from bert_tf.text.line_sampling import sample_lines


def test_short_text_is_kept_whole_without_blank_lines():
    sample = sample_lines(["a", "", "bé", " ", "c\ud800"], 100)
    assert sample.lines == [b"a", "bé".encode(), b"c?"]
    assert (sample.bytes, sample.stream_lines, sample.stream_bytes) == (6, 3, 6)


def test_long_text_is_thinned_evenly():
    sample = sample_lines((f"{i:09d}" for i in range(100_000)), 90_000)
    assert 45_000 < sample.bytes == 9 * len(sample.lines) <= 90_000
    assert sample.stream_lines == 100_000 and sample.stream_bytes == 900_000
    places = [int(line) for line in sample.lines]
    assert places == sorted(places)
    # Five standard deviations of the mean of so many uniform numbers.
    assert sum(places) / len(places) == pytest.approx(50_000, abs=5 * 100_000 / (12 * len(places)) ** 0.5)


def test_memory_is_that_of_the_sample():
    tracemalloc.start()
    sample_lines(("x" * 1000 for _ in range(20_000)), 100_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_line_larger_than_the_sample_is_left_out():
    assert sample_lines(["x" * 1000], 10).lines == []
