"""Sentence splitting, on cases worked by hand and by property."""

import hypothesis
import pytest
from hypothesis import strategies

from bert_tf.text.sentences import MAX_CHARS, split_sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["It rains.", "We stay in!", "Do we?", "Yes."],
        ["Mr. Smith met Dr. J. R. Jones of the U.S. Army at 3.14 p.m. on 5 May.", "They left."],
        ['"Go," he said.', '"Where?"', "She asked e.g. for the map."],
        ["He paid $3.50 to example.com for no. 7.", "(It was late.)", "Then..."],
        ["He said no.", "Then see figs. 3 and 4 of vol. 2."],
        ["It was so... strange, he thought.", "1984 came."],
        ["In 1998 , it won the prize .", "It was a game ."],
        ["Élan vital.", "Über alles.", "Ça va?"],
    ],
)
def test_english(sentences):
    assert split_sentences(" ".join(sentences)) == sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["今天下雨。", "我们在家！", "你呢？"],
        ["他说：“好。”", "然后走了。"],
        ["价格是3.5元，很便宜。", "（真的！）", "来吧"],
    ],
)
def test_chinese(sentences):
    assert split_sentences("".join(sentences)) == sentences


def test_text_without_stops_is_cut_at_blanks():
    pieces = split_sentences("word " * 1000)
    assert all(len(piece) <= MAX_CHARS for piece in pieces)
    assert " ".join(pieces).split() == ["word"] * 1000


def test_blank_text_has_no_sentence():
    assert split_sentences(" \t ") == []


@hypothesis.given(strategies.text(alphabet="aB1 .!?…。！”\"')\n字", max_size=200))
def test_nothing_is_lost_or_invented(text):
    sentences = split_sentences(text)
    assert "".join("".join(sentences).split()) == "".join(text.split())
    assert all(sentence and sentence == sentence.strip() for sentence in sentences)
