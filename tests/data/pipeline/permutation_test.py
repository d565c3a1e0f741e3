"""Orders that are computed, not shuffled."""

import numpy as np
import pytest

from bert_tf.data.pipeline.permutation import permute


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 16, 17, 1000, 65_537])
def test_every_element_comes_once(size):
    assert sorted(permute(np.arange(size), size, [0, 0]).tolist()) == list(range(size))


def test_any_position_alone_gives_the_same():
    whole = permute(np.arange(5000), 5000, [1, 2])
    assert [int(permute([place], 5000, [1, 2])[0]) for place in (0, 77, 4999)] == whole[[0, 77, 4999]].tolist()


def test_orders_of_seeds_differ_and_look_random():
    size = 20_000
    orders = [permute(np.arange(size), size, [seed, epoch]) for seed in (0, 1) for epoch in (0, 1)]
    for number, order in enumerate(orders):
        assert abs(np.corrcoef(np.arange(size), order)[0, 1]) < 0.03
        assert np.mean(np.abs(np.diff(order)) == 1) < 0.001  # neighbours are parted
        for other in orders[:number]:
            assert np.mean(order == other) < 0.001


def test_sizes_beyond_any_table():
    places = np.arange(1000) * 10**9
    found = permute(places, 10**12 + 1, [3])
    assert len(set(found.tolist())) == 1000 and found.min() >= 0 and found.max() <= 10**12
