"""Rows of texts and targets from files, and what is said of bad ones."""

import pytest

from bert_tf.errors import InputError
from bert_tf.export.labelled import read_labelled


def write(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_tsv_names_its_columns(model, tmp_path):
    path = write(tmp_path, "a.tsv", 'label\tsentence\n1\t"good\ny\tbad "we"\n')
    assert read_labelled(path, model) == (['"good', 'bad "we"'], [1, "y"])


def test_json_lines_with_pairs(model, tmp_path):
    path = write(tmp_path, "a.jsonl", '{"id": 7, "text_pair": "bad", "text": "good", "label": "x"}\n')
    assert read_labelled(path, model) == ((["good"], ["bad"]), ["x"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tsv", "", "has no rows"),
        ("a.tsv", "label\ttext\n1\tgood\tbad\n", "line 2: not as many columns"),
        ("a.tsv", "text\ngood\n", "line 2: found text. A row needs one of label"),
        ("a.jsonl", '{"label": 1, "text": "a"}\n{"text": "b"}\n', "line 2: no 'label' as in the first row; found text"),
        ("a.jsonl", '{"label": 1}\n', "line 1: found label. A row needs"),
        ("a.jsonl", "{\n", "line 1: no JSON"),
        ("a.jsonl", "[1]\n", "line 1: .* is no JSON object"),
    ],
)
def test_bad_files(model, tmp_path, name, text, message):
    with pytest.raises(InputError, match=message):
        read_labelled(write(tmp_path, name, text), model)


def test_no_file(model, tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_labelled(tmp_path / "none.tsv", model)
