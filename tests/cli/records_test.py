"""The verbs `records` and `inspect`."""

import dataclasses
import types

from bert_tf.cli import records
from bert_tf.cli.main import VERBS
from bert_tf.data.pretraining.make_records import RecordsConfig


class Flags(dict):
    """Values of flags as absl gives them: by attribute, and by name with whether they were present."""

    def __init__(self, verb, **values):
        super().__init__(
            {flag.name: types.SimpleNamespace(value=flag.default, present=0) for flag in VERBS[verb].flags}
        )
        self.update({name: types.SimpleNamespace(value=value, present=1) for name, value in values.items()})

    def __getattr__(self, name):
        return self[name].value


def test_flags_name_settings():
    fields = {field.name for field in dataclasses.fields(RecordsConfig)}
    flags = {flag.name for flag in VERBS["records"].flags}
    assert set(records.SETTINGS) <= fields & flags


def test_records_and_inspect(corpus, tokenizer, tmp_path, capsys):
    tokenizer.save(tmp_path / "vocab.txt")
    flags = Flags(
        "records", input=f"{corpus},{corpus.parent}/*.txt", vocab=str(tmp_path / "vocab.txt"), max_length="32",
        output=str(tmp_path / "records"), objective="none", gzip=True, num_processes="1",
    )  # fmt: skip
    records.records(flags, ["dupe_factor=1", "short_seq_prob=0.0"])
    printed = capsys.readouterr().out
    assert "120 documents" in printed and "in 4 shards" in printed
    assert len(list((tmp_path / "records").glob("*-of-00004.tfrecord.gz"))) == 4
    records.inspect(Flags("inspect", input=str(tmp_path / "records"), count=2), [])
    lines = capsys.readouterr().out.splitlines()
    examples = [line for line in lines if line.startswith("[CLS]")]
    assert len(examples) == 2
    assert all(line.rstrip().endswith("[SEP]") for line in examples)  # not wrapped at 80 columns
