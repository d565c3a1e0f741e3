"""Personal data: found in English and Chinese, and numbers that only look like it left alone."""

import types

import pytest

from bert_tf.core.errors import InputError
from bert_tf.text import scrubbing
from bert_tf.text.scrubbing import Scrubber


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to ada.l+news@mail.example.co.uk, please.", "Write to [mail], please."),
        ("邮箱ada@example.com，请来信", "邮箱[mail]，请来信"),
        ("See https://a.example/x?y=1&z=(2). Then (www.b.example)!", "See [url]. Then ([url])!"),
        ("网址http://a.example/页面很好", "网址[url]页面很好"),
        ("Call (415) 555-2671, 415-555-2671 or +44 20 7946 0958.", "Call [phone], [phone] or [phone]."),
        ("手机13812345678,139 1234 5678或+86 137-1234-5678", "手机[phone],[phone]或[phone]"),
        ("座机010-62345678、(0755) 86012345", "座机[phone]、[phone]"),
        ("身份证11010519491231002X，卡号6222 0210 0111 6245 706", "身份证[id]，卡号6222 0210 0111 6245 706"),
        ("SSN 219-09-9999, card 4111-1111-1111-1111 or 378282246310005", "SSN [id], card [card] or [card]"),
        ("a mail in a link: ftp://ada@example.com/x", "a mail in a link: [url]"),
    ],
)
def test_what_is_replaced(text, expected):
    assert Scrubber()([text])[0] == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "In 1999-2000 it cost 1,250,000.50 dollars, +100 % of 12345678901.",
        "3.14159265358979323846 and 2026-11-28 10:20:30",
        "11010519491231002 and 110105194912310021",  # an identity number too short, and one with a wrong check
        "4111 1111 1111 1112 fails the check; version 1.2.3.4",
        "a @ b, e.g. this; @someone #tag; http is a protocol",
        "价格12345元，电话待定，2026年11月28日",
    ],
)
def test_what_stays(text):
    assert Scrubber()([text]) == ([text], {})


def test_counts_are_of_all_texts():
    _, counts = Scrubber()(["a@b.example c@d.example", "13812345678", "nothing"])
    assert counts == {"mail": 2, "phone": 1}


@pytest.fixture
def tagger(monkeypatch):
    """A tagger that finds "Ada Lovelace" and "王芳"; returns what it is asked."""
    asked = []

    def predict_text(texts, batch_size):
        asked.extend(texts)
        answers = []
        for text in texts:
            entities = [{"type": "LOC", "start": 0, "end": 1}]
            for name in ("Ada Lovelace", "王芳"):
                if (start := text.find(name)) >= 0:
                    entities.append({"type": "PER", "start": start, "end": start + len(name)})
            answers.append({"entities": entities})
        return answers

    model = types.SimpleNamespace(PER_TOKEN=True, labels=["O", "B-PER", "B-PERCENT"], predict_text=predict_text)
    monkeypatch.setattr(scrubbing, "resolve", lambda place: lambda folder: model)
    scrubbing._open.cache_clear()
    yield asked, model
    scrubbing._open.cache_clear()


def test_names_are_those_of_the_tagger(tagger):
    texts, counts = Scrubber("folder")(["Ask Ada Lovelace, ada@example.com", "王芳的手机13812345678", "none"])
    assert texts == ["Ask [name], [mail]", "[name]的手机[phone]", "none"]
    assert counts == {"name": 2, "mail": 1, "phone": 1}
    assert tagger[0][0] == "Ask Ada Lovelace, ada@example.com"  # the text as it was


def test_a_model_without_names_is_refused(tagger):
    tagger[1].labels = ["O", "B-LOC", "B-PERCENT"]
    with pytest.raises(InputError, match="folder finds no names of persons: it has LOC, O, PERCENT"):
        Scrubber("folder").check()
