"""Whole runs: what is in the records, what decides their bytes, resuming after a kill, refusals."""

import json
import shutil

import numpy as np
import pytest

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.pipeline.record_reader import Records
from bert_tf.data.pretraining import make_records as records_module
from bert_tf.data.pretraining.make_records import RecordsConfig, write_records
from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.text.tokenizers.vocabulary import SPECIAL_TOKENS

SMALL = RecordsConfig(max_length=64, max_predictions=10, dupe_factor=2, num_processes=1, shards=3)


def shards_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.tfrecord*"))}


def read_all(folder):
    records = Records(folder)
    return {name: value.numpy() for name, value in records.parse(records.read(range(len(records)))).items()}


@pytest.fixture
def small_partitions(monkeypatch):
    """Several partitions from little text."""
    monkeypatch.setattr("bert_tf.data.pretraining.corpus_chunks.CHUNK_CHARS", 8000)
    monkeypatch.setattr("bert_tf.data.pretraining.corpus_chunks.PARTITION_CHARS", 40_000)


@pytest.fixture(scope="module")
def written(corpus, tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("written") / "records"
    return folder, write_records(corpus, tokenizer, folder, SMALL)


def test_the_report_counts_what_is_in_the_files(written):
    folder, report = written
    rows = read_all(folder)
    counts = report["counts"]
    assert counts["examples"] == len(rows["input_ids"]) and counts["documents"] == 120
    assert counts["tokens"] == rows["input_mask"].sum()
    assert counts["masked_tokens"] == rows["masked_lm_weights"].sum()
    assert counts["random_or_swapped"] == rows["next_sentence_labels"].sum()
    assert abs(report["rates"]["random_or_swapped"] - 0.5) < 0.005
    assert counts["unknown_pieces"] == 0
    assert report["settings"]["seed"] == SMALL.seed and report["vocabulary"]["size"] == tokenizer_size(folder)
    assert json.loads((folder / "records.json").read_text()) == report
    assert sorted(path.name for path in folder.iterdir()) == [*sorted(report["shards"]), "records.json", "vocab.txt"]


def tokenizer_size(folder):
    return len((folder / "vocab.txt").read_text().splitlines())


def test_masks_undone_give_the_text(written, tokenizer):
    rows = read_all(written[0])
    ids = rows["input_ids"].copy()
    row, column = np.nonzero(rows["masked_lm_weights"])
    ids[row, rows["masked_lm_positions"][row, column]] = rows["masked_lm_ids"][row, column]
    assert not np.isin(ids, [tokenizer.mask_id, tokenizer.unk_id]).any()
    assert np.all((ids == tokenizer.sep_id).sum(1) == 2)


def test_bytes_do_not_depend_on_the_number_of_processes(corpus, tokenizer, tmp_path):
    for processes in (1, 2):
        config = RecordsConfig(max_length=64, dupe_factor=1, shards=2, gzip=True, num_processes=processes)
        write_records([corpus], tokenizer, tmp_path / str(processes), config)
    assert shards_of(tmp_path / "1") == shards_of(tmp_path / "2")


def test_the_seed_changes_the_bytes(written, corpus, tokenizer, tmp_path):
    other = RecordsConfig(**vars(SMALL) | {"seed": 1})
    write_records(corpus, tokenizer, tmp_path / "other", other)
    assert shards_of(written[0]) != shards_of(tmp_path / "other")


def test_a_killed_run_keeps_whole_shards(small_partitions, corpus, tokenizer, tmp_path, monkeypatch):
    whole = tmp_path / "whole"
    write_records(corpus, tokenizer, whole, SMALL)
    assert len(shards_of(whole)) == 3

    killed = tmp_path / "killed"

    def kill(stage, done, total):
        if stage == "write" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_records(corpus, tokenizer, killed, SMALL, kill)
    kept = {path: path.stat().st_mtime_ns for path in killed.glob("*.tfrecord")}
    assert len(kept) == 2 and not (killed / "records.json").exists()
    (killed / ".records-00002-of-00003.tfrecord.1.tmp").write_bytes(b"half")

    monkeypatch.setattr(records_module, "_write_chunks", None)  # nothing is tokenized again
    report = write_records(corpus, tokenizer, killed, SMALL)
    assert shards_of(killed) == shards_of(whole)
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    assert report["counts"]["examples"] == len(Records(whole))
    assert not [path for path in killed.iterdir() if path.name.startswith(".")]


def test_finished_records_are_left_as_they_are(written, corpus, tokenizer):
    folder, report = written
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert write_records(corpus, tokenizer, folder, SMALL) == report
    assert before == {path: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_other_records_are_not_overwritten(written, corpus, tokenizer):
    folder, _ = written
    before = shards_of(folder)
    with pytest.raises(InputError, match=r"other records, which differ in seed \(12345 there, 1 now\)"):
        write_records(corpus, tokenizer, folder, RecordsConfig(**vars(SMALL) | {"seed": 1}))
    with pytest.raises(InputError, match="differ in vocabulary"):
        write_records(corpus, Tokenizer([*tokenizer.vocabulary, "more"]), folder, SMALL)
    assert shards_of(folder) == before


def test_a_folder_with_other_files_is_not_touched(corpus, tokenizer, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        write_records(corpus, tokenizer, tmp_path, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_lost_shard_is_noticed(corpus, tokenizer, tmp_path):
    config = RecordsConfig(dupe_factor=1, num_processes=1)
    report = write_records(corpus, tokenizer, tmp_path / "records", config)
    first, second, *_ = (tmp_path / "records" / name for name in sorted(report["shards"]))
    whole = first.read_bytes()
    length = 16 + int.from_bytes(whole[:8], "little")
    for cut in (b"", whole[:length], whole[:-length]):  # also at the boundary of a record
        first.write_bytes(cut)
        message = f"records-00000-of-00004.tfrecord has {len(cut):,} bytes; {len(whole):,} were written"
        for use in (Records, lambda folder: write_records(corpus, tokenizer, folder, config)):
            with pytest.raises(InputError, match=message):
                use(tmp_path / "records")
    first.write_bytes(whole)
    second.unlink()
    for use in (Records, lambda folder: write_records(corpus, tokenizer, folder, config)):
        with pytest.raises(InputError, match="has lost records-00001-of-00004"):
            use(tmp_path / "records")
    (tmp_path / "file").write_text("")
    for output in (tmp_path / "file", "/dev/full"):
        with pytest.raises(InputError, match=f"{output} is a file"):
            write_records(corpus, tokenizer, output, config)


def test_two_processes_do_not_make_records_in_one_folder(corpus, tokenizer, tmp_path):
    config = RecordsConfig(dupe_factor=1, num_processes=1)
    _, _, folder = records_module.prepare(corpus, tokenizer, tmp_path, config)
    with folder.open():
        for other in (config, RecordsConfig(seed=1, num_processes=1)):
            with pytest.raises(InputError, match="in use by another process"):
                write_records(corpus, tokenizer, tmp_path, other)
    assert write_records(corpus, tokenizer, tmp_path, config)["counts"]["examples"] > 0
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_unfinished_records_are_not_read(written, tmp_path):
    folder, _ = written
    unfinished = tmp_path / "records"
    shutil.copytree(folder, unfinished)
    (unfinished / "records.json").unlink()
    (unfinished / ".work").mkdir()
    (unfinished / ".work" / "plan.json").write_text("{}")
    with pytest.raises(InputError, match="has unfinished records. Finish them with the same command"):
        Records(unfinished)


def test_changed_text_is_noticed(tokenizer, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("w1 w2.\nw3.\n\nw4.\nw5.\n")
    write_records(text, tokenizer, tmp_path / "records", SMALL)
    text.write_text("w1 w2.\nw3.\n\nw4.\nw5 w6.\n")
    with pytest.raises(InputError, match="differ in the input files"):
        write_records(text, tokenizer, tmp_path / "records", SMALL)


def test_many_small_partitions_hold_all_of_the_text(small_partitions, corpus, tokenizer, tmp_path):
    config = RecordsConfig(max_length=64, objective="none", static_masking=False, shards=5, num_processes=1)
    report = write_records(corpus, tokenizer, tmp_path / "records", config)
    rows = read_all(tmp_path / "records")
    assert set(rows) == {"input_ids", "input_mask", "segment_ids"}
    pieces = rows["input_mask"].sum() - 2 * len(rows["input_ids"])
    assert pieces == report["counts"]["pieces"] == report["counts"]["tokens"] - 2 * report["counts"]["examples"]


def test_a_document_that_fills_partitions_alone_gets_random_seconds_from_elsewhere(
    small_partitions, tokenizer, tmp_path
):
    text = tmp_path / "text.txt"
    text.write_text("w1 w2 w3 w4 w5 w6 w7.\n" * 10_000 + "\nw10.\nw11.\n\nw12.\nw13.\n")
    write_records(text, tokenizer, tmp_path / "records", RecordsConfig(dupe_factor=1, num_processes=1))
    rows = read_all(tmp_path / "records")
    is_random = rows["next_sentence_labels"][:, 0] == 1
    first = [tokenizer.vocabulary.index(f"w{n}") for n in range(1, 8)]
    seconds = rows["input_ids"] * (rows["segment_ids"] == 1)
    of_first = np.isin(seconds, first).any(1)
    assert abs(is_random.mean() - 0.5) < 0.01 and is_random.sum() > 300
    from_big = np.isin(rows["input_ids"] * (rows["segment_ids"] == 0), first).any(1)
    assert not (from_big & is_random & of_first).any()


def test_documents_of_one_sentence_are_counted_and_serve_as_random_seconds(tokenizer, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("w1 w2. \nw3 w4.\n\nw5.\n\n\n\nw6.\n")
    report = write_records(text, tokenizer, tmp_path / "records", RecordsConfig(dupe_factor=20, num_processes=1))
    assert report["counts"]["documents_of_one_sentence"] == 2
    rows = read_all(tmp_path / "records")
    seconds = rows["input_ids"][(rows["segment_ids"] == 1) & (rows["next_sentence_labels"] == 1)]
    alone = [tokenizer.vocabulary.index(word) for word in ("w5", "w6")]
    assert np.isin(alone, seconds).all() and not np.isin(rows["input_ids"][rows["segment_ids"] == 0], alone).any()


@pytest.mark.parametrize(
    "text, message",
    [("", "no text"), ("\n \n\n", "no text"), ("w1.\nw2.\n", "one document"), ("w1.\n\nw2.\n", "one sentence")],
)
def test_text_that_gives_no_examples(tokenizer, tmp_path, text, message):
    path = tmp_path / "text.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        write_records(path, tokenizer, tmp_path / "records", SMALL)


def test_a_run_that_failed_before_its_first_shard_can_be_repeated_with_mended_text(tokenizer, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("w1.\n\nw2.\n")
    with pytest.raises(InputError):
        write_records(text, tokenizer, tmp_path / "records", SMALL)
    text.write_text("w1.\nw3.\n\nw2.\nw4.\n")
    assert write_records(text, tokenizer, tmp_path / "records", SMALL)["counts"]["examples"]


@pytest.mark.parametrize("missing", ["[MASK]", "[SEP]", "[PAD]"])
def test_a_vocabulary_without_a_special_token_is_refused(corpus, tmp_path, missing):
    tokenizer = Tokenizer([piece for piece in [*SPECIAL_TOKENS, "w1"] if piece != missing])
    with pytest.raises(InputError, match=rf"no \{missing[:-1]}\]"):
        write_records(corpus, tokenizer, tmp_path / "records", SMALL)
    assert not (tmp_path / "records").exists()


def test_addresses_of_buckets_are_refused(corpus, tokenizer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for source, output in (
        ("gs://bucket/*.txt", "out"),
        ([corpus, "s3://bucket/a.txt"], "out"),
        (corpus, "gs://b/out"),
    ):
        with pytest.raises(InputError, match=r"(gs|s3)://.* Mount the bucket"):
            write_records(source, tokenizer, output, SMALL)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "settings",
    [{"objective": "next"}, {"schema": "tfds"}, {"max_length": 4}, {"dupe_factor": 0}, {"seed": -1}, {"masking": "x"}],
)
def test_settings_are_checked(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        RecordsConfig(**settings)


@pytest.mark.parametrize("name", ["brown/brown.txt.gz", "peoples_daily/dev.txt"])
def test_real_text_has_the_rates_it_should(shared, real_text, tmp_path, name):
    tokenizer = Tokenizer.from_file(shared / "golden" / "vocab_uncased.txt")
    config = RecordsConfig(dupe_factor=1, num_processes=1)
    rates = write_records(real_text(name), tokenizer, tmp_path / "records", config)["rates"]
    assert abs(rates["masked"] - 0.15) < 0.002
    assert abs(rates["random_or_swapped"] - 0.5) < 0.005
    assert rates["filled"] > 0.88
