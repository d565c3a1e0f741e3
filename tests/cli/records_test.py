"""The verbs `records` and `inspect`."""

import dataclasses
import types

import pytest

from bert_tf.cli import records
from bert_tf.cli.main import VERBS
from bert_tf.core.errors import ConfigError
from bert_tf.data.pretraining.make_records import RecordsConfig
from bert_tf.data.pretraining.records_folder import _differences


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


def test_records_of_before_a_setting_was_there_are_the_same():
    plan = {"settings": dataclasses.asdict(RecordsConfig())}
    old = {"settings": {name: value for name, value in plan["settings"].items() if "scrub" not in name}}
    assert _differences("settings", old, plan) == []
    plan["settings"]["scrub"] = True
    assert _differences("settings", old, plan) == ["scrub (False there, True now)"]


def test_names_are_scrubbed_only_with_the_rest():
    with pytest.raises(ConfigError, match="scrub_tagger=folder without scrub"):
        RecordsConfig(scrub_tagger="folder")


def test_records_and_inspect(corpus, tokenizer, tmp_path, capsys):
    tokenizer.save(tmp_path / "vocab.txt")
    (tmp_path / "mail.txt").write_text("Ada is ada@example.com or a@example.com.\nHer number: 13812345678\n")
    flags = Flags(
        "records", input=f"{corpus},{corpus.parent}/*.txt,{tmp_path}/mail.txt", vocab=str(tmp_path / "vocab.txt"),
        output=str(tmp_path / "records"), objective="none", gzip=True, num_processes="1", max_length="32", scrub=True,
    )  # fmt: skip
    records.records(flags, ["dupe_factor=1", "short_seq_prob=0.0"])
    printed = capsys.readouterr().out
    assert "121 documents" in printed and "in 4 shards" in printed
    assert "personal data replaced: 2 mail, 1 phone\n" in printed
    assert len(list((tmp_path / "records").glob("*-of-00004.tfrecord.gz"))) == 4
    records.inspect(Flags("inspect", input=str(tmp_path / "records"), count=2), [])
    lines = capsys.readouterr().out.splitlines()
    examples = [line for line in lines if line.startswith("[CLS]")]
    assert len(examples) == 2
    assert all(line.rstrip().endswith("[SEP]") for line in examples)  # not wrapped at 80 columns
