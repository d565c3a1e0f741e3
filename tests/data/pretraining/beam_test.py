"""Apache Beam's local runner makes the bytes of the run with processes."""

import pytest

from bert_tf.data.pretraining.make_records import RecordsConfig, write_records


def test_the_direct_runner_makes_the_same_bytes(corpus, tokenizer, tmp_path, monkeypatch):
    pytest.importorskip("apache_beam")
    from bert_tf.data.pretraining.beam import write_records_with_beam

    monkeypatch.setattr("bert_tf.data.pretraining.corpus_chunks.CHUNK_CHARS", 8000)
    monkeypatch.setattr("bert_tf.data.pretraining.corpus_chunks.PARTITION_CHARS", 40_000)
    config = RecordsConfig(max_length=64, dupe_factor=2, shards=3, num_processes=1)
    here = write_records(corpus, tokenizer, tmp_path / "here", config)
    beam = write_records_with_beam(corpus, tokenizer, tmp_path / "beam", config)
    assert here["counts"] == beam["counts"] and len(here["shards"]) == 3
    for name in here["shards"]:
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "beam" / name).read_bytes()
