"""Records to and from Model Garden's own reader and writer."""

import subprocess
import sys

import numpy as np
import pytest

from bert_tf.data.pipeline.pretraining_dataset import make_dataset
from bert_tf.data.pipeline.record_reader import Records
from bert_tf.data.pretraining.make_records import RecordsConfig, write_records

pytest.importorskip("official")


@pytest.mark.parametrize("schema", ["google", "model_garden"])
def test_model_garden_reads_ours(corpus, tokenizer, tmp_path, schema):
    from official.nlp.data.pretrain_dataloader import BertPretrainDataConfig, BertPretrainDataLoader

    config = RecordsConfig(max_length=64, max_predictions=10, dupe_factor=1, schema=schema, num_processes=1)
    report = write_records(corpus, tokenizer, tmp_path / "records", config)
    params = BertPretrainDataConfig(
        input_path=str(tmp_path / "records" / "*.tfrecord"), global_batch_size=16, is_training=False, seq_length=64,
        max_predictions_per_seq=10, use_v2_feature_names=schema == "model_garden", drop_remainder=False,
    )  # fmt: skip
    theirs = [{name: value.numpy() for name, value in batch.items()} for batch in BertPretrainDataLoader(params).load()]
    ids = np.concatenate([batch["input_word_ids"] for batch in theirs])
    assert len(ids) == report["counts"]["examples"]
    assert sum(batch["next_sentence_labels"].sum() for batch in theirs) == report["counts"]["random_or_swapped"]
    assert sum(batch["masked_lm_weights"].sum() for batch in theirs) == report["counts"]["masked_tokens"]
    records = Records(tmp_path / "records")
    ours = records.parse(records.read(range(len(records))))["input_ids"].numpy()
    assert sorted(map(tuple, ours)) == sorted(map(tuple, ids))


# Both schemas are read by tests/data/pretraining/tf_examples_test.py.
@pytest.mark.parametrize("v2", ["true", pytest.param("false", marks=pytest.mark.soak)])
def test_we_read_theirs(corpus, tokenizer, tmp_path, v2):
    tokenizer.save(tmp_path / "vocab.txt")
    command = [sys.executable, "-m", "official.nlp.data.create_pretraining_data", f"--input_file={corpus}"]
    command += [f"--vocab_file={tmp_path / 'vocab.txt'}", f"--output_file={tmp_path / 'theirs.tfrecord'}"]
    command += [
        "--dupe_factor=1",
        "--max_seq_length=64",
        "--max_predictions_per_seq=10",
        f"--use_v2_feature_names={v2}",
    ]
    subprocess.run(command, check=True, capture_output=True)
    x, y, weight = next(iter(make_dataset(tmp_path / "theirs.tfrecord", 32)))
    assert x["input_ids"].shape == (32, 64) and np.all(x["input_ids"][:, 0] == tokenizer.cls_id)
    assert np.all((x["input_ids"].numpy() > 0) == (x["input_mask"].numpy() == 1))
    assert y["masked_lm_logits"].shape == (32, 10) and weight["masked_lm_logits"].numpy().max() == 1
    assert set(y["next_sentence_logits"].numpy().ravel()) == {0, 1}
