import gzip
import json
import pathlib
import random
import stat

import pytest

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.text.tokenizers.train_vocabulary import coverage, learn, learn_from_files, read_vocabulary
from bert_tf.text.tokenizers.vocabulary import SPECIAL_TOKENS

WORDS = ["the", "the", "dog", "dogs", "walks", "walking", "through", "Café", "streets", "and", "北京", "市民", "看见"]


@pytest.fixture
def lines():
    draw = random.Random(1)
    return [" ".join(draw.choices(WORDS, k=9)) for _ in range(400)]


def test_pieces_and_report(lines):
    pieces, report = learn(lines, 70, unused=3)
    assert pieces[:8] == [*SPECIAL_TOKENS, "[unused0]", "[unused1]", "[unused2]"]
    assert len(pieces) == len(set(pieces)) == 70 and {"北", "the", "dog", "c", "##e"} <= set(pieces)
    assert not any("é" in piece or "C" in piece[:1] for piece in pieces[8:])
    assert report["held_out"]["lines"] == 8 and report["held_out"]["unknown_rate"] == 0
    assert report["read"]["lines"] == report["sample"]["lines"] == 400
    assert 1 <= report["held_out"]["pieces_per_word"] < 2 and not report["held_out"]["seen"]
    assert learn(iter(lines), 70, unused=3) == (pieces, report)


def test_casing_is_the_tokenizers(lines):
    pieces, report = learn(lines, 70, TextConfig(lower_case=False))
    assert {"C", "##é"} <= set(pieces) and "c" not in pieces and report["text"]["lower_case"] is False


def test_held_out_lines_are_not_learned_from(lines):
    lines[49::50] = ["q" * 5] * 8
    pieces, report = learn(lines, 60)
    assert not any("q" in piece for piece in pieces)
    assert report["held_out"]["unknown_rate"] == 1


def test_sample_is_bounded_and_reported(lines):
    _, report = learn(lines, 55, sample_mb=0.004)
    assert 2000 < report["sample"]["bytes"] <= 4000 < report["read"]["bytes"]


def test_coverage_by_hand():
    tokenizer = Tokenizer(["[UNK]", "a", "##b", "c"])
    found = coverage(tokenizer, [b"abb c", b"x"])
    assert found == {"lines": 2, "bytes": 6, "words": 3, "unknown_rate": 1 / 3, "pieces_per_word": 5 / 3}


def test_sizes_that_cannot_be():
    with pytest.raises(ConfigError, match="size=7, unused=3.*over 8"):
        learn(["a"], 7, unused=3)
    for size in (99_999_999_999, 10_000_001):  # the trainer would reserve memory for it
        with pytest.raises(ConfigError, match=f"size={size}.*at most 10,000,000"):
            learn(["a"], size)
    with pytest.raises(InputError, match=r"too small for size=100: .* Ask for at most 8"):
        learn(["ab"], 100)
    with pytest.raises(InputError, match="no words"):
        learn(["", " "], 100)


def test_no_file_is_replaced_by_the_vocabulary_or_its_report(tmp_path):
    (tmp_path / "a.txt").write_text("ab\n" * 9)
    (tmp_path / "v.json").write_text("mine")
    with pytest.raises(InputError, match="v.json exists and models may depend on it"):
        learn_from_files(str(tmp_path / "a.txt"), tmp_path / "v.txt", 9)
    with pytest.raises(ConfigError, match="w.json'. The report gets that name"):
        learn_from_files(str(tmp_path / "a.txt"), tmp_path / "w.json", 9)
    with pytest.raises(InputError, match="/dev/full is a device. A regular file is needed"):
        learn_from_files(str(tmp_path / "a.txt"), "/dev/full", 9, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "v.json"]
    assert (tmp_path / "v.json").read_text() == "mine" and stat.S_ISCHR(pathlib.Path("/dev/full").stat().st_mode)


def test_files_in_vocabulary_and_report_out(lines, tmp_path):
    (tmp_path / "a.txt").write_bytes("\r\n".join(lines[:200]).encode() + b"\xff\n")
    with gzip.open(tmp_path / "b.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps({"body": line}) + "\n" for line in lines[200:])
    with pytest.raises(InputError, match="b.jsonl.gz, line 1: no text under the field 'text'"):
        learn_from_files(f"{tmp_path}/*", tmp_path / "vocab.txt", 70)
    assert not (tmp_path / "vocab.txt").exists()
    report = learn_from_files(f"{tmp_path}/a.txt", tmp_path / "v" / "vocab.txt", 60)
    assert len(read_vocabulary(tmp_path / "v" / "vocab.txt")) == 60
    assert json.loads((tmp_path / "v" / "vocab.json").read_text()) == report
    assert report["read"]["files"] == report["read"]["invalid_utf8_lines"] == 1
    assert learn_from_files(f"{tmp_path}/b*", tmp_path / "w.txt", 60, field="body")["read"]["lines"] == 200


def test_a_vocabulary_is_not_overwritten(lines, tmp_path):
    (tmp_path / "a.txt").write_text("\n".join(lines))
    (tmp_path / "vocab.txt").write_text("mine")
    with pytest.raises(InputError, match="exists"):
        learn_from_files(str(tmp_path / "a.txt"), tmp_path / "vocab.txt", 60)
    assert (tmp_path / "vocab.txt").read_text() == "mine"
    learn_from_files(str(tmp_path / "a.txt"), tmp_path / "vocab.txt", 60, overwrite=True)
    assert len(read_vocabulary(tmp_path / "vocab.txt")) == 60
