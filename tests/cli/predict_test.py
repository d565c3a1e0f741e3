"""The verb `predict` with a model that counts characters: what it reads, keeps and refuses."""

import codecs
import json
import types

import pytest

from bert_tf.cli import predict as predicting
from bert_tf.cli.flags import VERBS
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.tasks import TASKS

FLAGS = [flag.name for flag in VERBS["predict"].flags]


class Counter:
    """Answers with the length of the first text."""

    OPTIONAL_TEXTS = ()

    def __init__(self, task, texts, optional=()):
        self.SPEC, self.TEXTS, self.OPTIONAL_TEXTS = TASKS[task], texts, optional

    def predict_text(self, columns):
        return [{"label": len(text)} for text in columns[0]]


PICTURES = Counter("multimodal_classification", ("text", "image"))
PAIRS = Counter("classification", ("text", "text_pair"), ("text_pair",))
QUESTIONS = Counter("question_answering", ("question", "context"))
SINGLE = Counter("fill_mask", ("text",))


@pytest.fixture
def predict(capsys, monkeypatch, tmp_path):
    """The printed answers of the verb; `stdin` are bytes for --input -."""

    def call(model, *overrides, stdin=None, **given):
        monkeypatch.setattr(predicting, "load", lambda folder: model)
        if stdin is not None:
            (tmp_path / "stdin").write_bytes(stdin)
            monkeypatch.setattr(predicting, "STDIN", str(tmp_path / "stdin"))
            given["input"] = "-"
        flags = types.SimpleNamespace(**dict.fromkeys(FLAGS) | {"model": str(tmp_path)} | given)
        predicting.predict(flags, overrides)
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return call


def test_a_picture_goes_with_a_text_to_models_that_read_pictures(predict):
    assert predict(PICTURES, text="good", image="a.png") == [{"text": "good", "image": "a.png", "label": 4}]
    assert predict(PICTURES, text="good") == [{"text": "good", "image": "", "label": 4}]
    with pytest.raises(ConfigError, match="--image. The model reads text, text_pair; its task is classification"):
        predict(PAIRS, text="good", image="a.png")
    with pytest.raises(ConfigError, match="--audio. The model reads text, image"):
        predict(PICTURES, text="good", audio="a.wav")
    assert predict(PICTURES, image="a.png") == [{"text": "", "image": "a.png", "label": 0}]
    with pytest.raises(ConfigError, match="--image with --input"):
        predict(PICTURES, input="texts.txt", image="a.png")
    with pytest.raises(ConfigError, match="--text_pair. The model answers single texts"):
        predict(PICTURES, text="good", text_pair="bad")


def test_other_columns_of_the_input_are_kept(predict, tmp_path, caplog):
    (tmp_path / "a.csv").write_text("id,text,label,note\n7,good,gold,\n8,ok,gold,x\n")
    answers = predict(PAIRS, input=str(tmp_path / "a.csv"))
    assert answers[0] == {"id": "7", "text": "good", "label": 4, "note": ""}
    assert list(answers[0])[0] == "id"
    assert "the input's columns are left out: label" in caplog.text
    (tmp_path / "a.jsonl").write_text('{"id": 7, "body": "one\\ntwo", "n": [1]}\n')
    kept = {"id": 7, "n": [1], "text": "one\ntwo", "label": 7}
    assert predict(PAIRS, 'columns=["body"]', input=str(tmp_path / "a.jsonl")) == [kept]
    assert predict(PAIRS, input=str(tmp_path / "a.jsonl"), field="body") == [kept]
    assert predict(PAIRS, stdin=b'{"text": "good", "id": 7}\n') == [{"id": 7, "text": "good", "label": 4}]
    squad = {"data": [{"paragraphs": [{"context": "c", "qas": [{"id": "q1", "question": "why"}]}]}]}
    (tmp_path / "a.json").write_text(json.dumps(squad))
    answer = predict(QUESTIONS, input=str(tmp_path / "a.json"))[0]
    assert (answer["id"], answer["context"], answer["label"]) == ("q1", "c", 3)


def test_standard_input_is_read_as_files_are(predict, tmp_path, caplog):
    lines = codecs.BOM_UTF8 + b'good\r\n\r\n{"text": "a", "text_pair": "film"}\nsch\xf6n {x}\n'
    expected = [
        {"text": "good", "label": 4},
        {"text": "a", "text_pair": "film", "label": 1},
        {"text": "sch\ufffdn {x}", "label": 9},
    ]
    assert predict(PAIRS, stdin=lines) == expected
    assert "1 lines are not UTF-8" in caplog.text
    (tmp_path / "a.txt").write_bytes(lines)
    as_file = predict(PAIRS, input=str(tmp_path / "a.txt"))
    assert [as_file[0], as_file[2]] == [expected[0], expected[2]]
    assert predict(PAIRS, stdin="schön\n".encode("cp1252"), encoding="cp1252") == [{"text": "schön", "label": 5}]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "cut', "line 2: not JSON: Unterminated string"),
        (b'{"txt": "a"}', "line 2: it has no 'text'; it has: txt"),
        (b"{", "line 2: not JSON"),
        (b'{"text": "\\ud800"}', "line 2: .*half of a surrogate pair"),
        (b'{"text": ' + b"[" * 100_000, "line 2: JSON nested too deeply"),
    ],
)
def test_an_object_that_is_cut_or_lacks_the_text_is_no_text(predict, line, reason, caplog):
    with pytest.raises(InputError, match=reason):
        predict(PAIRS, stdin=b"good\n" + line + b"\nend")
    answers = predict(PAIRS, stdin=b"good\n" + line + b"\nend", skip_bad_rows=True)
    assert [answer["text"] for answer in answers] == ["good", "end"]
    assert "Left out 1 bad row" in caplog.text


def test_lines_are_named_where_two_texts_are_needed(predict):
    with pytest.raises(InputError, match="line 1: not JSON.*Give a JSON object with 'question' and 'context'"):
        predict(QUESTIONS, stdin=b"why\n")


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        (SINGLE, {"text": "a", "text_pair": "b"}, "--text_pair. The model answers single texts; its task is fill_mask"),
        (PAIRS, {"input": "a.txt", "text_pair": "b"}, "--text_pair without --text"),
        (PAIRS, {"text": "a", "input": "a.txt"}, "Give either --text or --input"),
        (PAIRS, {"text": "caf\udce9"}, "--text is not UTF-8"),
        (PAIRS, {"text": "a", "encoding": "utf9"}, "Received: encoding='utf9'"),
    ],
)
def test_flags_that_do_not_go_together(predict, model, given, message):
    with pytest.raises(ConfigError, match=message):
        predict(model, **given)
