import collections

from bert_tf.core.config import TextConfig
from bert_tf.text.tokenizers.word_counts import count_words
from tests.text.bert_oracle import basic_words

LINES = ["The Café, the cafe!", "北京 is big - BIG", "ΟΔΟΣ οδος", "a" * 201 + " b\u200dc", "[MASK]"] * 3


def test_words_are_those_of_the_tokenizer():
    for lower_case in (True, False):
        counts = count_words([line.encode() for line in LINES], TextConfig(lower_case=lower_case, special_tokens=True))
        expected = collections.Counter(word for line in LINES for word in basic_words(line, lower_case))
        del expected["a" * 201]
        assert counts == expected


def test_no_text_has_no_words():
    assert count_words([], TextConfig()) == {}
