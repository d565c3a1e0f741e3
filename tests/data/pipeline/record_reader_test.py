"""Records of other projects, and files that are not records."""

import gzip

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import InputError
from bert_tf.data.pipeline.record_reader import Records
from bert_tf.data.pretraining.tf_examples import serialize


def write(path, numbers, schema="google", compression=""):
    ids = np.arange(numbers * 8, dtype=np.int32).reshape(numbers, 8)
    rows = {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for example in serialize(rows, schema):
            writer.write(example)
    return path


@pytest.mark.parametrize("schema", ["google", "model_garden"])
@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_every_example_of_every_file_is_found(tmp_path, schema, compression):
    for number, size in enumerate((33, 1, 16)):
        write(tmp_path / f"{number}.tfrecord", size, schema, compression)
    records = Records(f"{tmp_path}/*.tfrecord")
    assert len(records) == 50
    rows = records.parse(records.read([0, 32, 33, 34, 49, 17]))
    np.testing.assert_array_equal(rows["input_ids"][:, 0], [0, 32 * 8, 0, 0, 15 * 8, 17 * 8])
    assert set(rows) == {"input_ids", "input_mask", "segment_ids"}


@pytest.mark.parametrize("data", [b"text, no records\n" * 9, b"\x05", b""])
def test_files_that_are_not_records(tmp_path, data):
    (tmp_path / "a.tfrecord").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.tfrecord"):
        Records(tmp_path / "a.tfrecord")


def test_a_file_cut_short_is_named(tmp_path):
    path = write(tmp_path / "a.tfrecord", 20)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match=r"a\.tfrecord: not a complete TFRecord file"):
        Records(path)
    packed = write(tmp_path / "b.tfrecord", 20, compression="GZIP")
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"b\.tfrecord: damaged gzip"):
        Records(packed)
    assert gzip.decompress(write(packed, 2, compression="GZIP").read_bytes())


def test_examples_of_something_else_are_refused(tmp_path):
    for content in (tf.train.Example().SerializeToString(), b"\xff\xff"):
        with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
            writer.write(content)
        with pytest.raises(InputError, match=r"a\.tfrecord"):
            Records(tmp_path / "a.tfrecord")


def test_without_our_report_the_vocabulary_must_be_named(tmp_path):
    with pytest.raises(InputError, match="Name the vocabulary"):
        Records(write(tmp_path / "a.tfrecord", 3)).tokenizer()
