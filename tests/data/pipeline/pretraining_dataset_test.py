"""Batches: any position at once, workers that share nothing, masks made in the graph, buckets and packed rows."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.pipeline.batch_samplers import BatchPlan, PackedSampler
from bert_tf.data.pipeline.pretraining_dataset import make_dataset, make_dataset_from_text
from bert_tf.data.pipeline.record_reader import Records
from bert_tf.data.pretraining.make_records import RecordsConfig, write_records
from bert_tf.text.masking import MaskingConfig
from bert_tf.text.tokenizers.base import Tokenizer

ARRANGEMENTS = {"single": {}, "buckets": {"buckets": (16, 32)}, "packed": {"pack_length": 160}}


@pytest.fixture(scope="module")
def folders(corpus, tokenizer, tmp_path_factory):
    """Records with masks, without, and of single segments."""
    root = tmp_path_factory.mktemp("records")
    common = {"max_length": 64, "max_predictions": 12, "dupe_factor": 2, "num_processes": 1}
    kinds = {"static": {}, "dynamic": {"static_masking": False}, "none": {"static_masking": False, "objective": "none"}}
    for name, settings in kinds.items():
        write_records(corpus, tokenizer, root / name, RecordsConfig(**common, **settings))
    return root


def take(dataset, count):
    return [tf.nest.map_structure(lambda value: value.numpy(), batch) for batch in dataset.take(count)]


def assert_same(one, other):
    tf.nest.map_structure(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("masks", ["static", "dynamic"])
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_any_batch_is_reached_at_once(folders, masks, arrangement):
    settings = ARRANGEMENTS[arrangement]
    all_batches = take(make_dataset(folders / masks, 8, seed=3, **settings), 400)  # over several epochs
    for position in (0, 1, 57, 399):
        assert_same(
            take(make_dataset(folders / masks, 8, seed=3, start=position, **settings), 1)[0], all_batches[position]
        )
    other_seed = take(make_dataset(folders / masks, 8, seed=4, **settings), 1)[0]
    assert other_seed[0]["input_ids"].shape != all_batches[0][0]["input_ids"].shape or np.any(
        other_seed[0]["input_ids"] != all_batches[0][0]["input_ids"]
    )


def test_shapes_dtypes_and_names(folders):
    x, y, weight = make_dataset(folders / "static", 8).element_spec
    assert {name: tuple(spec.shape) for name, spec in x.items()} == {
        "input_ids": (8, 64), "input_mask": (8, 64), "segment_ids": (8, 64), "masked_lm_positions": (8, 12),
    }  # fmt: skip
    assert {name: tuple(spec.shape) for name, spec in y.items()} == {
        "masked_lm_logits": (8, 12), "next_sentence_logits": (8, 1),
    }  # fmt: skip
    assert {name: (tuple(spec.shape), spec.dtype) for name, spec in weight.items()} == {
        "masked_lm_logits": ((8, 12), tf.float32), "next_sentence_logits": ((8,), tf.float32),
    }  # fmt: skip
    assert {spec.dtype for spec in [*x.values(), *y.values()]} == {tf.int32}
    assert "next_sentence_logits" not in make_dataset(folders / "none", 8).element_spec[1]


def ids_of(batches):
    return [tuple(row) for x, _, _ in batches for row in x["input_ids"]]


def test_an_epoch_has_every_example_once_in_a_new_order(folders):
    size = len(Records(folders / "static"))
    epochs = take(make_dataset(folders / "static", 1, seed=0, repeat=2), 2 * size)
    first, second = ids_of(epochs[:size]), ids_of(epochs[size:])
    in_order = ids_of(take(make_dataset(folders / "static", 1, shuffle=False, repeat=1), size))
    assert sorted(first) == sorted(second) == sorted(in_order)
    assert first != second != in_order


def test_the_last_batch_is_kept_when_asked(folders):
    size = len(Records(folders / "static"))
    assert size % 7
    batches = take(make_dataset(folders / "static", 7, repeat=1, drop_remainder=False), 10**6)
    assert len(batches[-1][0]["input_ids"]) == size % 7 and len(ids_of(batches)) == size
    dataset = make_dataset(folders / "static", 7, repeat=2)
    assert dataset.cardinality() == 2 * (size // 7)
    assert make_dataset(folders / "static", 7).cardinality() == tf.data.INFINITE_CARDINALITY


def test_workers_share_nothing_and_together_have_the_single_order(folders):
    single = take(make_dataset(folders / "static", 6, seed=1), 10)
    workers = [take(make_dataset(folders / "static", 2, seed=1, shard=(number, 3)), 10) for number in range(3)]
    for batch, parts in zip(single, zip(*workers, strict=True), strict=True):
        assert_same(batch[0]["input_ids"], np.concatenate([part[0]["input_ids"] for part in parts]))


def test_masks_in_the_graph_are_new_in_every_epoch_and_right(folders, tokenizer):
    size = len(Records(folders / "dynamic"))
    batches = take(make_dataset(folders / "dynamic", size, seed=5), 3)
    hidden, tokens, masked = 0, 0, 0
    for x, _, weight in batches:
        hidden += weight["masked_lm_logits"].sum()
        tokens += x["input_mask"].sum()
        masked += (x["input_ids"] == tokenizer.mask_id).sum()
    assert abs(masked / hidden - 0.8) < 0.002
    assert abs(hidden / tokens - 0.15) < 0.01  # rounded to whole pieces in every row
    restored = []
    for x, y, weight in batches:
        ids = x["input_ids"].copy()
        row, column = np.nonzero(weight["masked_lm_logits"])
        ids[row, x["masked_lm_positions"][row, column]] = y["masked_lm_logits"][row, column]
        restored.append(sorted(map(tuple, ids)))
    assert restored[0] == restored[1] == restored[2]
    assert np.any(np.sort(batches[0][0]["masked_lm_positions"], 0) != np.sort(batches[1][0]["masked_lm_positions"], 0))


def test_whole_words_can_be_masked_in_the_graph(folders, tokenizer):
    masking = MaskingConfig("whole_word", 0.3, 20)
    x, _, weight = take(make_dataset(folders / "dynamic", 64, masking=masking), 1)[0]
    assert weight["masked_lm_logits"].shape == (64, 20) and weight["masked_lm_logits"].sum() > 64 * 10
    with pytest.raises(ConfigError, match="masks already"):
        make_dataset(folders / "static", 8, masking=masking)


def test_buckets_have_rows_of_about_their_width(folders):
    for x, _, _ in take(make_dataset(folders / "static", 8, buckets=(16, 32)), 60):
        width = x["input_ids"].shape[1]
        lengths = x["input_mask"].sum(1)
        assert width in (16, 32, 64) and lengths.max() <= width
        assert lengths.min() > {16: 0, 32: 16, 64: 32}[width]


def test_packed_rows_hold_every_example_of_the_records(folders):
    records = Records(folders / "static")
    whole = records.parse(records.read(range(len(records))))
    expected = sorted(tuple(ids[ids > 0]) for ids in whole["input_ids"].numpy())
    found, labels, predictions = [], 0, 0
    for x, _, weight in take(make_dataset(folders / "static", 1, pack_length=160, repeat=1), 10**6):
        for number in range(1, x["example_ids"].max() + 1):
            mine = x["example_ids"][0] == number
            found.append(tuple(x["input_ids"][0][mine]))
            assert x["position_ids"][0][mine].tolist() == list(range(mine.sum()))
            assert x["cls_positions"][0][number - 1] == np.flatnonzero(mine)[0]
        labels += weight["next_sentence_logits"].sum()
        predictions += weight["masked_lm_logits"].sum()
    assert sorted(found) == expected
    assert labels == len(expected) and predictions == whole["masked_lm_weights"].numpy().sum()


def test_packed_predictions_point_at_their_targets(folders, tokenizer):
    x, y, weight = take(make_dataset(folders / "static", 32, pack_length=160), 1)[0]
    row, column = np.nonzero(weight["masked_lm_logits"])
    places = x["masked_lm_positions"][row, column]
    assert np.all(x["example_ids"][row, places] > 0)
    stays = x["input_ids"][row, places] == y["masked_lm_logits"][row, column]
    assert abs(stays.mean() - 0.1) < 0.04
    assert abs(np.mean(x["input_ids"][row, places] == tokenizer.mask_id) - 0.8) < 0.05


def test_packing_leaves_little_padding_on_real_text(shared, tmp_path):
    tokenizer = Tokenizer.from_file(shared / "golden" / "vocab_uncased.txt")
    config = RecordsConfig(max_length=512, max_predictions=80, static_masking=False, num_processes=1)
    write_records(shared / "data" / "wikitext2" / "valid.txt", tokenizer, tmp_path / "records", config)
    lengths, predictions = Records(tmp_path / "records").measure()
    assert PackedSampler(BatchPlan(1), lengths, predictions, 512).filled > 0.97
    batches = take(make_dataset(tmp_path / "records", 8, pack_length=512), 20)
    assert np.mean([x["input_mask"].mean() for x, _, _ in batches]) > 0.97


def test_batches_straight_from_text(corpus, tokenizer, tmp_path):
    once, again = (take(make_dataset_from_text(corpus, tokenizer, tmp_path / "cache", 4, seed=2), 2) for _ in range(2))
    assert_same(once, again)
    assert once[0][0]["input_ids"].shape == (4, 128) and np.any(once[0][0]["input_ids"] == tokenizer.mask_id)


@pytest.mark.parametrize(
    "settings, error",
    [
        ({"batch_size": 10**6}, InputError), ({"batch_size": 0}, ConfigError), ({"shard": (3, 3)}, ConfigError),
        ({"pack_length": 32}, ConfigError), ({"pack_length": 128, "buckets": (8,)}, ConfigError),
    ],
)  # fmt: skip
def test_arguments_are_checked(folders, settings, error):
    with pytest.raises(error):
        make_dataset(folders / "static", **{"batch_size": 8} | settings)
