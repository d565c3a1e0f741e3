"""Records of other projects, and files that are not records."""

import gzip

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import InputError
from bert_tf.data.pipeline.checksums import match
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


def flip(path, word, times=1):
    """Flips a bit of the first byte of `word`, at its first `times` places."""
    data = bytearray(path.read_bytes())
    place = -1
    for _ in range(times):
        place = data.index(word, place + 1)
        data[place] ^= 0x80
    path.write_bytes(data)


@pytest.mark.parametrize("word", [b"input_ids", b"segment_ids", bytes([40, 41, 42, 43, 44, 45, 46, 47])])
def test_an_example_with_a_flipped_bit_is_damaged(tmp_path, caplog, word):
    path = write(tmp_path / "a.tfrecord", 20)
    intact = Records(path).load(range(20))["input_ids"]
    flip(path, word)  # a name of the first example, or an id of the sixth
    number = 5 if word[0] == 40 else 0
    with pytest.raises(InputError, match=rf"a.tfrecord: example {number} .* 1 damaged examples exceed skip_records=0"):
        Records(path).load(range(20))
    records = Records(path, skip=1)
    expected = intact.copy()
    expected[number] = intact[number + 1]  # the next intact one
    np.testing.assert_array_equal(records.load(range(20))["input_ids"], expected)
    assert records.damaged == {number}
    assert caplog.text.count("it is skipped (1 damaged so far)") == 1


@pytest.mark.parametrize("count", [2, 4, 6, 256, 300])
def test_equal_errors_of_several_examples_do_not_hide_each_other(tmp_path, count):
    path = tmp_path / "a.tfrecord"
    ids = np.full((300, 8), 77, np.int32)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for example in serialize({"input_ids": ids, "input_mask": np.ones_like(ids)}):
            writer.write(example)
    flip(path, bytes([77] * 8), count)
    with pytest.raises(InputError, match=f"{count} damaged examples exceed skip_records={count - 1}"):
        Records(path, skip=count - 1).load(range(300))


def test_a_length_with_a_flipped_bit_is_named(tmp_path):
    path = write(tmp_path / "a.tfrecord", 3)
    data = bytearray(path.read_bytes())
    data[8] ^= 1  # of the checksum of the first length
    path.write_bytes(data)
    with pytest.raises(InputError, match="a.tfrecord: damaged .the length of a record"):
        Records(path, skip=9)


def test_records_of_which_all_are_damaged_end(tmp_path):
    path = write(tmp_path / "a.tfrecord", 3)
    flip(path, b"input_ids", 3)
    with pytest.raises(InputError, match="3 damaged examples"):
        Records(path, skip=100)


@pytest.mark.parametrize("sizes", [(1, 7), (4,), (5, 1023, 1024, 1025), (3000, 2, 40), (0, 9)])
def test_checksums_are_those_of_tensorflow(tmp_path, sizes):
    random = np.random.default_rng(0)
    messages = [random.bytes(size) for size in sizes]
    with tf.io.TFRecordWriter(str(tmp_path / "a")) as writer:
        for message in messages:
            writer.write(message)
    data, place, checksums = (tmp_path / "a").read_bytes(), 0, []
    for size in sizes:
        place += 12 + size + 4
        checksums.append(data[place - 4 : place])
    masked = np.frombuffer(b"".join(checksums), "<u4")
    assert match(messages, masked) == (min(sizes) >= 4)
    assert not match([messages[0], *messages[1:-1], messages[-1][:-1] + b"?"], masked)


def test_examples_of_something_else_are_refused(tmp_path):
    for content in (tf.train.Example().SerializeToString(), b"\xff\xff"):
        with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
            writer.write(content)
        with pytest.raises(InputError, match=r"a\.tfrecord"):
            Records(tmp_path / "a.tfrecord")


def test_without_our_report_the_vocabulary_must_be_named(tmp_path):
    with pytest.raises(InputError, match="Name the vocabulary"):
        Records(write(tmp_path / "a.tfrecord", 3)).tokenizer()
