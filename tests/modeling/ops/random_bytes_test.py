"""Random bytes are those of the hash on every backend, and look like chance from where dropout looks at them."""

import numpy as np
import pytest
from keras import ops

from bert_tf.modeling.ops.random_bytes import random_bytes

SIZE = 2**20
BELOW = 26  # a byte below it is dropped at rate 0.1


def draw(*seed, shape=(SIZE,)):
    return ops.convert_to_numpy(random_bytes(ops.zeros(shape), ops.convert_to_tensor(np.array(seed, "uint32"))))


def hashed(words):
    """MurmurHash3's finalizer as its paper has it, on numpy's own words."""
    words = np.array(words, "uint32")
    words ^= words >> 16
    words *= np.uint32(0x85EBCA6B)
    words ^= words >> 13
    words *= np.uint32(0xC2B2AE35)
    return words ^ (words >> 16)


@pytest.mark.parametrize("shape", [(1000,), (3, 5, 7), (1,), (512, 257)])
def test_bytes_of_hashed_numbers(shape):
    first, second = hashed([5, 2**32 - 9])
    words = hashed(hashed(np.arange(np.prod(shape), dtype="uint32") + first) + second)
    expected = words.astype("<u4").view("uint8")[: np.prod(shape)].reshape(shape)
    np.testing.assert_array_equal(draw(5, 2**32 - 9, shape=shape), expected)


@pytest.mark.parametrize("seed", [(0, 0), (1, 2), (1337, 12345)])
def test_all_bytes_are_equally_likely_in_each_place_of_a_word(seed):
    for place in range(4):
        counts = np.bincount(draw(*seed)[place::4], minlength=256)
        chi_square = ((counts - SIZE / 1024) ** 2).sum() / (SIZE / 1024)
        assert abs(chi_square - 255) < 5 * np.sqrt(2 * 255)


def assert_independent(one, other):
    """Dropped in both as often as chance has it, to five standard deviations."""
    share = BELOW / 256
    found = ((one < BELOW) & (other < BELOW)).mean()
    assert abs(found - share**2) < 5 * np.sqrt(share**2 * (1 - share**2) / one.size)
    assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(one.size)


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 5, 32, 128, 384, 768, 4096, 128 * 128, 2**18])
def test_neighbours_rows_and_heads_are_independent(lag):
    found = draw(1337, 7)
    assert_independent(found[:-lag], found[lag:])


@pytest.mark.parametrize("other", [(0, 1), (1, 0), (1, 1), (2, 0), (7, 2**20), (0, 6)])
def test_seeds_that_follow_each_other_are_independent(other):
    for first in ((0, 0), (1337, 5)):
        second = [a + b for a, b in zip(first, other, strict=True)]
        assert_independent(draw(*first), draw(*second))


def test_many_steps_drop_an_element_as_often_as_chance():
    """One element over the steps of a training run, whose seeds differ by one in their second word."""
    drops = np.stack([draw(3, step, shape=(64,)) < BELOW for step in range(4000)])
    share = BELOW / 256
    assert np.all(abs(drops.mean(0) - share) < 5 * np.sqrt(share * (1 - share) / len(drops)))
    together = np.corrcoef(drops.T) - np.eye(64)
    assert abs(together).max() < 5 / np.sqrt(len(drops))
