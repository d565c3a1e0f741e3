"""Readers of data sets: what they give, and what they say of rows that cannot be used."""

import codecs
import gzip
import json
import os
import sys
import tracemalloc
import types

import numpy as np
import pytest

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.readers.bad_rows import BadRows
from bert_tf.data.readers.examples import FileConfig, read_examples, stream_rows
from bert_tf.data.readers.passages import PASSAGE_CHARS
from bert_tf.tasks import MultipleChoice, QuestionAnswerer, TextClassifier, TextEmbedder, TextTagger
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
        ("a.json", "{", QuestionAnswerer, "a.json: not JSON"),
        ("a.json", '{"data": [{}]}', QuestionAnswerer, "a.json, article 0: it has no paragraphs"),
        ("a.json", '{"data": [{"paragraphs": [{"qas": [{"id": 7}]}]}]}', QuestionAnswerer, "question 7: it needs a"),
    ],
)
def test_bad_files(name, text, task, message, tmp_path):
    with pytest.raises(InputError, match=message):
        read(write(tmp_path / name, text), task)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "a.tsv.gz").write_bytes(gzip.compress(b"label\ttext\n" * 1000)[:50])
    with pytest.raises(InputError, match=r"a.tsv.gz: damaged gzip file"):
        read(tmp_path / "a.tsv.gz")
    with pytest.raises(InputError, match="No such file: .*b.tsv"):
        read(tmp_path / "b.tsv")
    os.mkfifo(tmp_path / "pipe.tsv")
    for path, kind in ((tmp_path / "pipe.tsv", "a named pipe"), ("/dev/zero", "a device"), (tmp_path, "a folder")):
        with pytest.raises(InputError, match=f"{path} is {kind}. A regular file is needed"):
            read(path, format="tsv")
    with pytest.raises(ConfigError, match="the name does not tell the format. Set format to one of tsv, csv"):
        read(tmp_path / "a.xls")
    with pytest.raises(ConfigError, match="has no column 5; its words have 3"):
        read(write(tmp_path / "a.conll", CONLL), TextTagger, target="5")


def test_bad_rows_may_be_skipped(tmp_path):
    path = write(tmp_path / "a.conll", "a O\n\nb O O\nc O\n\nd O\n")
    examples = read(path, TextTagger, skip_bad_rows=True)
    assert (examples.texts, examples.bad.count) == (([["a"], ["d"]],), 1)


LATIN = "label\ttext\n" + "a\tgut\n" * 400 + "b\tschön\na\tgut\n"
HALF = "\\ud83d"


@pytest.mark.parametrize(
    ("name", "content", "reason", "rows"),
    [
        ("a.tsv", LATIN.encode("cp1252"), r"line 402: not UTF-8 \(byte 0xf6 at byte 5\). It looks like cp1252", 401),
        ("a.csv", b'label,text\na,b\na,"b\nc\xe9\nd"\nb,c\n', r"line 4: not UTF-8 \(byte 0xe9 at byte 1\)", 2),
        ("a.csv", b'label,text\na,b\nb,"c\n' + b"a,b\n" * 50, "line 3: not CSV: unexpected end of data", 51),
        ("a.csv", b'label,text\na,"x\ny",\na,"q ""c"""\nb,"d"\n', "line 3: 3 columns, but line 1 names 2", 2),
        ("a.csv", b'label,text\na,"q ""c""\nb,"d"\nb,e\n', "line 2: not CSV: ',' expected after '\"'", 2),
        (
            "a.jsonl",
            f'{{"label": 1, "text": "a"}}\n{{"label": 1, "text": "{HALF}"}}\n'.encode(),
            "line 2: .*half of",
            1,
        ),
        ("a.jsonl", b'{"label": 1, "text": "a"}\n' + b"[" * 100_000 + b"\n", "line 2: JSON nested too deeply", 1),
        ("a.jsonl", b'{"label": 1, "text": "a"}\n{"label": ' + b"1" * 5000 + b"}\n", "line 2: Exceeds the limit", 1),
        ("a.jsonl", b'{"label": 1, "text": "a"}\n{"label": 1, "text": "\xff"}\n', "line 2: not UTF-8", 1),
    ],
)
def test_a_bad_row_is_named_where_it_is_and_may_be_skipped(name, content, reason, rows, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{name}, {reason}"):
        read(path)
    examples = read(path, skip_bad_rows=True)
    assert (len(examples), examples.bad.count) == (rows, 1)


def test_a_word_that_is_not_utf8_makes_its_sentence_bad(tmp_path):
    path = tmp_path / "a.conll"
    path.write_bytes(b"a O\nb O\n\nc O\n\xe9 O\nd O\n\ne O\n")
    with pytest.raises(InputError, match=r"a.conll, line 5: not UTF-8 \(byte 0xe9 at byte 0\)"):
        read(path, TextTagger)
    examples = read(path, TextTagger, skip_bad_rows=True)
    assert (examples.texts, examples.bad.count) == (([["a", "b"], ["e"]],), 1)


@pytest.mark.parametrize("cell", [b"a" * (80 << 20), b'"' + b"a\n" * 200_000, b'"' + (b"a" * 999 + b"\n") * 40_000])
def test_a_row_without_end_in_a_small_file_is_refused_in_bounded_memory(cell, tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"label,text\nx,y\nx," + cell, 1))
    tracemalloc.start()
    with pytest.raises(InputError, match="a.csv.gz, line 3: longer than 32 MiB or 100,000 lines, the limit of a row"):
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 << 20


def test_data_files_of_another_encoding_are_read_if_it_is_named(tmp_path):
    text = "label\ttext\n好\t这家酒店的服务很好\n不好\t房间太小了\n"
    (tmp_path / "a.tsv").write_text(text, encoding="gb18030")
    examples = read(tmp_path / "a.tsv", encoding="gb18030")
    assert (examples.texts, examples.targets) == ((["这家酒店的服务很好", "房间太小了"],), ["好", "不好"])
    with pytest.raises(InputError, match=r"line 2: not UTF-8.*It looks like gb18030; --encoding=gb18030 reads it"):
        read(tmp_path / "a.tsv")
    (tmp_path / "b.json").write_bytes(codecs.BOM_UTF16_LE + json.dumps(QUESTIONS).encode("utf-16-le"))
    assert len(read(tmp_path / "b.json", QuestionAnswerer, encoding="utf-16")) == 5
    with pytest.raises(InputError, match="b.json: UTF-16, not UTF-8. --encoding=utf-16 reads it"):
        read(tmp_path / "b.json", QuestionAnswerer)
    with pytest.raises(ConfigError, match="Received: encoding='base64'. Encodings are those of Python"):
        FileConfig(encoding="base64")


def test_white_space_around_a_label_makes_no_other_label(tmp_path):
    path = write(tmp_path / "a.tsv", "text\tlabel \na \tpos \nb\tpos\nc\t neg\n")
    examples = read(path)
    assert (examples.texts, examples.targets) == ((["a ", "b", "c"],), ["pos", "pos", "neg"])
    path = write(tmp_path / "a.conll", "a\tO \nb\tO\n\nc\t \n")
    with pytest.raises(InputError, match="a.conll, line 4: the tag of 'c' is empty"):
        read(path, TextTagger)
    assert read(path, TextTagger, skip_bad_rows=True).targets == [["O", "O"]]


def test_conll_columns_are_parted_by_blanks_and_tabs_only(tmp_path):
    path = write(tmp_path / "a.conll", "10\u00a0000 B-X\n\u3000  O\n\u2028 O \n\x85 O\n")
    examples = read(path, TextTagger)
    assert examples.texts == ([["10\u00a0000", "\u3000", "\u2028", "\x85"]],)
    assert examples.targets == [["B-X", "O", "O", "O"]]


def test_questions_that_are_no_objects_are_bad_rows(tmp_path):
    broken = {"data": [{"paragraphs": [{"context": "a", "qas": ["b"]}]}, {"paragraphs": [7]}, *QUESTIONS["data"]]}
    broken["data"][2] = {"paragraphs": [{"context": "a b", "qas": [{"id": 1, "question": "b"}]}]}
    path = write(tmp_path / "a.json", json.dumps(broken))
    examples = read(path, QuestionAnswerer, skip_bad_rows=True, find_answers=True)
    assert (examples.places, examples.bad.count) == (["question 1"], 2)


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


@pytest.mark.parametrize("first", ({}, {"text_pair": None}, {"text_pair": "A"}))
def test_each_json_object_may_have_an_optional_text(first, tmp_path):
    rows = [
        {"text": "a", "label": "x"} | first,
        {"text": "b", "text_pair": "B", "label": "y"},
        {"text": "c", "label": 0},
    ]
    path = write(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert read(path).texts == (["a", "b", "c"], [first.get("text_pair") or "", "B", ""])
    shown = list(stream_rows(path, FileConfig(), TextClassifier.SPEC, BadRows(path), with_target=False))
    assert [row.texts for row in shown][1:] == [("b", "B"), ("c",)]


def test_each_json_object_may_have_its_own_number_of_endings(tmp_path):
    endings = [{"ending0": "a", "ending1": "b"}, {"ending0": "a", "ending1": "b", "ending2": "c"}] * 2
    rows = [{"context": "so", "label": 0} | row for row in endings]
    path = write(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert read(path, MultipleChoice).texts == (["so"] * 4, [["a", "b"], ["a", "b", "c"]] * 2)
    path = write(tmp_path / "b.jsonl", json.dumps(rows[1]) + "\n" + json.dumps(rows[1] | {"ending1": None}))
    with pytest.raises(InputError, match="line 2: it has no 'ending1'"):
        read(path, MultipleChoice)


def test_embedders_read_as_many_columns_as_there_are(tmp_path):
    path = write(tmp_path / "a.tsv", "text\ttext_pair\nx\ty\n")
    examples = read(path, TextEmbedder)
    assert (examples.texts, examples.targets) == ((["x"], ["y"]), None)


def test_parallel_files_have_an_example_a_line(tmp_path):
    write(tmp_path / "a.en", "one\n\ntwo \n")
    write(tmp_path / "a.de", "eins\nnull\nzwei\n")
    examples = read(tmp_path / "a.{en,de}")
    assert (examples.texts, examples.targets) == ((["one", "", "two "],), ["eins", "null", "zwei"])
    assert examples.places == ["line 1", "line 2", "line 3"]
    other_way = read(tmp_path / "a.{en,de}", columns=("de",), target="en")
    assert (other_way.texts, other_way.targets) == ((["eins", "null", "zwei"],), ["one", "", "two"])


def test_parallel_files_of_unequal_lengths_are_refused(tmp_path):
    write(tmp_path / "a.en", "one\ntwo\nthree\n")
    write(tmp_path / "a.de", "eins\nzwei\n")
    with pytest.raises(InputError, match=r"a\.en has 3 lines and \S*a\.de has 2 lines"):
        read(tmp_path / "a.{en,de}")


def test_passages_are_cut_in_the_middle(tmp_path):
    write(tmp_path / "a.txt", "One is here. Two is there.\nAlone.\n\nNobody.\n")
    write(tmp_path / "b.txt", "".join(f"Sentence {number:03} has thirty letters. " for number in range(40)))
    examples = read(tmp_path, format="passages")
    assert examples.texts[0][0] == "One is here. Two is there."  # a document of three sentences
    assert examples.targets[0] == "Alone."
    assert examples.places[:2] == ["a.txt, passage 1", "b.txt, passage 2"]
    pairs = list(zip(examples.texts[0][1:], examples.targets[1:], strict=True))
    assert " ".join(" ".join(pair) for pair in pairs) == (tmp_path / "b.txt").read_text().strip()
    for text, target in pairs:
        assert len(text) + len(target) <= PASSAGE_CHARS + 20  # blanks between the sentences
        assert abs(len(text) - len(target)) <= 40
    with pytest.raises(InputError, match="no two sentences in a row"):
        read(write(tmp_path / "c.txt", "Alone.\n"), format="passages")


def test_squad_with_the_text_of_an_answer_as_a_column(tmp_path):
    paragraphs = [
        {
            "context": "It is red.",
            "qas": [
                {"id": "a", "question": "Which?", "answers": [{"text": "red", "answer_start": 6}]},
                {"id": "b", "question": "Who?", "answers": []},
            ],
        }
    ]
    path = write(tmp_path / "a.json", json.dumps({"data": [{"paragraphs": paragraphs}]}))
    settings = {"columns": ("context", "answer"), "target": "question", "skip_bad_rows": True}
    rows = list(stream_rows(path, FileConfig(**settings), QuestionAnswerer.SPEC, BadRows(path, skip=True)))
    assert [(row.texts, row.target) for row in rows] == [(("It is red.", "red"), "Which?")]


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
