"""Readers of data sets: what they give, and what they say of rows that cannot be used."""

import gzip
import json
import sys
import types

import numpy as np
import pytest

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.readers.examples import FileConfig, read_examples
from bert_tf.tasks import QuestionAnswerer, TextClassifier, TextEmbedder, TextTagger
from bert_tf.tasks.base.targets import fit_targets
from bert_tf.text.tokenizers.base import Tokenizer
from tests.tasks.samples import SIZES, VOCABULARY


def write(path, text):
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_bytes(text.encode())
    return path


def read(path, task=TextClassifier, **settings):
    return read_examples(path, FileConfig(**settings), task.SPEC)


def find_labels(examples, task=TextClassifier, separator=",", **settings):
    return task.SPEC.load("targets")(settings, separator).find_labels(examples)


def test_tsv_takes_quotation_marks_as_text(tmp_path):
    path = write(tmp_path / "a.tsv", '\ufefflabel\ttext\r\n1\t"so," he said\r\n\r\n0\tbad\r\n')
    examples = read(path)
    assert examples.texts == (['"so," he said', "bad"],)
    assert (examples.targets, examples.places) == (["1", "0"], ["line 2", "line 4"])


def test_csv_takes_them_off_and_reads_on_over_line_ends(tmp_path):
    path = write(tmp_path / "a.csv.gz", 'text,text_pair,label\n"one, ""two""\nthree",b,x\n' + "z" * 200000 + ",c,y\n")
    examples = read(path)
    assert examples.texts == (['one, "two"\nthree', "z" * 200000], ["b", "c"])
    assert examples.places == ["line 3", "line 4"]


def test_columns_go_by_their_names_in_the_order_asked_for(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"a": "1", "b": "2", "stars": 3}\n')
    examples = read(path, columns=("b", "a"), target="stars")
    assert (examples.texts, examples.targets) == ((["2"], ["1"]), [3])


CONLL = "-DOCSTART- -X- O\n\n# EU O\nEU NNP I-ORG\nrejects VBZ O\n\n\n# newdoc\nPeter NNP I-PER"


def test_conll_has_comments_documents_and_sentences(tmp_path):
    path = write(tmp_path / "a.conll", CONLL)
    examples = read(path, TextTagger)
    assert examples.texts == ([["#", "EU", "rejects"], ["Peter"]],)  # three columns make a "#" a word
    assert examples.targets == [["O", "I-ORG", "O"], ["I-PER"]]
    assert examples.places == ["line 3", "line 9"]
    assert read(path, TextTagger, target="1").targets == [["EU", "NNP", "VBZ"], ["NNP"]]


def test_conll_with_tabs_keeps_blank_words(tmp_path):
    path = write(tmp_path / "a.bio", "# newdoc id=1 category=a\n#\tO\n \tO\nb\tB-X\n")
    assert read(path, TextTagger).texts == ([["#", " ", "b"]],)


QUESTIONS = {
    "data": [
        {
            "paragraphs": [
                {
                    "context": "a film is a good film",
                    "qas": [
                        {"id": "q1", "question": "what", "answers": [{"text": "film", "answer_start": 17}]},
                        {"id": "q2", "question": "who", "answers": [], "is_impossible": True},
                        {"id": "q3", "question": "how", "answers": [{"text": "good", "answer_start": 9}]},
                        {"id": "q4", "question": "why", "answers": [{"text": "bad", "answer_start": 0}]},
                        {
                            "id": "q5",
                            "question": "when",
                            "answers": [{"text": "film!", "answer_start": 17}, {"text": "is", "answer_start": -1}],
                        },
                    ],
                }
            ]
        }
    ]
}


@pytest.fixture(scope="module")
def answerer():
    return QuestionAnswerer(Tokenizer(VOCABULARY), max_length=12, **SIZES)


def test_answers_that_stand_elsewhere_are_refused_left_out_or_found(tmp_path, answerer):
    path = write(tmp_path / "a.json", json.dumps(QUESTIONS))
    assert read(path, answerer).targets[:2] == [[{"text": "film", "answer_start": 17}], []]
    with pytest.raises(InputError, match=r"question q3: at 9 the context has ' is |question q3: at 9 .* it is at 12"):
        read(path, answerer).checked(answerer)
    kept = read(path, answerer, skip_bad_rows=True).checked(answerer)
    assert (kept.places, kept.bad.count) == (["question q1", "question q2"], 3)
    assert "q3" in kept.bad.first
    found = read(path, answerer, skip_bad_rows=True, find_answers=True).checked(answerer)
    assert (found.places[2:], found.bad.count) == (["question q3", "question q5"], 1)
    assert found.targets[3] == [{"text": "is", "answer_start": 7}]  # the other answer stands nowhere
    assert found.targets[2][0]["answer_start"] == 12
    assert found.targets[0][0]["answer_start"] == 17  # not the film at 2


@pytest.mark.parametrize(
    ("name", "text", "task", "message"),
    [
        (
            "a.tsv",
            "label\ttext\n1\ta\tb\n",
            TextClassifier,
            "a.tsv, line 2: 3 columns, but line 1 names 2: label, text",
        ),
        ("a.tsv", "label\tsentence\n1\ta\n", TextClassifier, "a.tsv has no column 'text'; it has: label, sentence"),
        ("a.tsv", "a\ta\n", TextClassifier, "a.tsv, line 1: two columns have the same name"),
        ("a.tsv", "label\ttext\n", TextClassifier, "a.tsv has no rows"),
        ("a.csv", 'label,text\n1,"a\n', TextClassifier, "a.csv, line 2: not CSV: unexpected end of data"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text":\n', TextClassifier, "a.jsonl, line 2: not JSON"),
        ("a.jsonl", '["a"]\n', TextClassifier, r"a.jsonl, line 1: '\[\"a\"\]' is not a JSON object"),
        (
            "a.jsonl",
            '{"text": "a", "label": 1}\n{"text": "b"}\n',
            TextClassifier,
            "line 2: it has no 'label'; it has: text",
        ),
        ("a.conll", "a O\nb\n", TextTagger, "a.conll, line 2: 1 columns where the words before have 2: 'b'"),
        ("a.conll", "a O\n", TextClassifier, "read as conll, which is for tagging; the model"),
        ("a.json", "[]", QuestionAnswerer, "a.json is not in SQuAD's format"),
        ("a.json", "{", QuestionAnswerer, "a.json is not JSON"),
        ("a.json", '{"data": [{}]}', QuestionAnswerer, "a.json, article 0: it has no paragraphs"),
        ("a.json", '{"data": [{"paragraphs": [{"qas": [{"id": 7}]}]}]}', QuestionAnswerer, "question 7: it needs a"),
    ],
)
def test_bad_files(name, text, task, message, tmp_path):
    with pytest.raises(InputError, match=message):
        read(write(tmp_path / name, text), task)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"label\ttext\n1\t\xff\n")
    with pytest.raises(InputError, match=r"a.tsv is not UTF-8 after line"):
        read(tmp_path / "a.tsv")
    (tmp_path / "a.tsv.gz").write_bytes(gzip.compress(b"label\ttext\n" * 1000)[:50])
    with pytest.raises(InputError, match=r"a.tsv.gz is not a complete .gz file"):
        read(tmp_path / "a.tsv.gz")
    with pytest.raises(InputError, match="No such file: .*b.tsv"):
        read(tmp_path / "b.tsv")
    with pytest.raises(ConfigError, match="the name does not tell the format. Set format to one of tsv, csv"):
        read(tmp_path / "a.xls")
    with pytest.raises(ConfigError, match="has no column 5; its words have 3"):
        read(write(tmp_path / "a.conll", CONLL), TextTagger, target="5")


def test_bad_rows_may_be_skipped(tmp_path):
    path = write(tmp_path / "a.conll", "a O\n\nb O O\nc O\n\nd O\n")
    examples = read(path, TextTagger, skip_bad_rows=True)
    assert (examples.texts, examples.bad.count) == (([["a"], ["d"]],), 1)


def test_rows_that_the_task_refuses_are_named_by_file_and_line(tmp_path):
    model = TextClassifier(Tokenizer(VOCABULARY), ["neg", "pos"], **SIZES)
    path = write(tmp_path / "a.tsv", "label\ttext\npos\tgood\nneg\t \nfine\tbad\n1\tgood\n")
    with pytest.raises(InputError, match=r"a.tsv, line 3: the text is empty"):
        fit_targets(read(path), model).checked(model)
    kept = fit_targets(read(path, skip_bad_rows=True), model).checked(model)
    assert (kept.texts, kept.targets, kept.bad.count) == ((["good", "good"],), ["pos", 1], 2)
    path = write(tmp_path / "b.tsv", "label\ttext\nfine\tbad\n")
    with pytest.raises(InputError, match=r"b.tsv, line 2: has the label 'fine'. Labels: neg, pos"):
        fit_targets(read(path), model).checked(model)


def test_tags_that_training_data_lacks_are_named(tmp_path):
    train = read(write(tmp_path / "a.conll", "a I-X\nb O\n"), TextTagger)
    model = TextTagger(Tokenizer(VOCABULARY), find_labels(train, TextTagger), **SIZES)
    heldout = read(write(tmp_path / "b.conll", "a I-X\n\nb I-Y\n"), TextTagger)
    with pytest.raises(InputError, match=r"b.conll, line 3: word 0: the tag is 'I-Y'"):
        fit_targets(heldout, model).checked(model)


def test_labels_are_those_found(tmp_path):
    path = write(tmp_path / "a.tsv", "label\ttext\nb|a\tx\na\ty\n")
    assert find_labels(read(path)) == ["a", "b|a"]
    assert find_labels(read(path), separator="|", problem_type="multi_label_classification") == ["a", "b"]
    assert find_labels(read(path), problem_type="regression") is None
    path = write(tmp_path / "a.bio", "a\tI-X\nb\tO\n")
    assert find_labels(read(path, TextTagger), TextTagger, scheme="BIOES") == ["O", "B-X", "I-X", "E-X", "S-X"]
    with pytest.raises(InputError, match="a.tsv has one class only: '1'"):
        find_labels(read(write(tmp_path / "a.tsv", "label\ttext\n1\ta\n1\tb\n")))


def test_embedders_read_as_many_columns_as_there_are(tmp_path):
    path = write(tmp_path / "a.tsv", "text\ttext_pair\nx\ty\n")
    examples = read(path, TextEmbedder)
    assert (examples.texts, examples.targets) == ((["x"], ["y"]), None)


def test_tensorflow_datasets_by_name(monkeypatch):
    label = types.SimpleNamespace(int2str=["neg", "pos"].__getitem__)
    info = types.SimpleNamespace(features={"label": label, "text": None, "idx": None})
    rows = [{"label": np.int64(1), "text": b"good", "idx": np.int32(3)}]
    fake = types.SimpleNamespace(load=lambda name, split, with_info: (rows, info), as_numpy=lambda data: data)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", fake)
    examples = read("tfds:glue/sst2:train")
    assert (examples.texts, examples.targets, examples.places) == ((["good"],), ["pos"], ["row 0"])
    with pytest.raises(ConfigError, match="written tfds:NAME:SPLIT"):
        read("tfds:glue")
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ConfigError, match="pip install tensorflow-datasets"):
        read("tfds:glue/sst2:train")
