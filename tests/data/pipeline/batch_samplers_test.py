"""Sorted rows: whole epochs, little padding, every worker its part."""

import numpy as np
import pytest

from bert_tf.core.errors import InputError
from bert_tf.data.pipeline.batch_samplers import BatchPlan, LengthGroupedSampler

LENGTHS = np.random.default_rng(0).integers(3, 60, 1003)


def epoch(rows, number=0):
    return [rows.batch(number * rows.num_batches + i) for i in range(rows.num_batches)]


def test_an_epoch_has_every_row_once_and_the_next_another_order():
    rows = LengthGroupedSampler(BatchPlan(8, seed=5, drop_remainder=False), LENGTHS)
    first, second = (np.concatenate([batch for batch, _, _ in epoch(rows, i)]) for i in (0, 1))
    assert rows.num_batches == 126
    assert np.array_equal(np.sort(first), np.arange(1003))
    assert np.array_equal(np.sort(second), np.arange(1003))
    assert np.mean(first == second) < 0.05
    together = {frozenset(batch.tolist()) for batch, _, _ in epoch(rows, 0)}
    assert not together & {frozenset(batch.tolist()) for batch, _, _ in epoch(rows, 1)}


def test_rows_of_a_batch_are_of_about_one_length_and_batches_of_all():
    rows = LengthGroupedSampler(BatchPlan(8, drop_remainder=False), LENGTHS)
    batches = epoch(rows)
    widths = [width for _, _, width in batches]
    assert widths == [LENGTHS[batch].max() for batch, _, _ in batches]
    cells = sum(width * len(batch) for batch, _, width in batches)
    assert 1 - LENGTHS.sum() / cells < 0.05  # a random order pads 0.43
    assert np.abs(np.corrcoef(widths[1:], widths[:-1])[0, 1]) < 0.3  # short and long ones take turns


def test_workers_share_each_batch_and_the_rest_is_left_out_by_chance():
    plans = [BatchPlan(4, seed=1, worker=worker, workers=3) for worker in range(3)]
    parts = [epoch(LengthGroupedSampler(plan, LENGTHS)) for plan in plans]
    assert {len(part) for part in parts} == {1003 // 12}
    for batches in zip(*parts, strict=True):
        rows = np.concatenate([batch for batch, _, _ in batches])
        assert len(set(rows)) == 12
        assert np.ptp(LENGTHS[rows]) <= 20
    seen = np.concatenate([batch for part in parts for batch, _, _ in part])
    assert len(set(seen)) == 1003 // 12 * 12
    left_out = np.setdiff1d(np.arange(1003), seen)
    again = np.concatenate([batch for plan in plans for batch, _, _ in epoch(LengthGroupedSampler(plan, LENGTHS), 1)])
    assert set(left_out) - set(np.setdiff1d(np.arange(1003), again))


def test_a_row_or_none():
    assert LengthGroupedSampler(BatchPlan(8, drop_remainder=False), np.array([4])).batch(3)[0].tolist() == [0]
    with pytest.raises(InputError, match="0 rows"):
        LengthGroupedSampler(BatchPlan(8, drop_remainder=False), np.zeros(0, int))
