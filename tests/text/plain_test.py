import itertools
import re
import unicodedata

import pytest
import tensorflow as tf

from bert_tf.config import TextConfig
from bert_tf.text.normalize import Normalizer
from bert_tf.text.plain import is_plain, plain_pattern
from bert_tf.text.tokenizer import Tokenizer


@pytest.fixture(scope="module", params=[TextConfig(), TextConfig(lower_case=False), TextConfig(split_cjk=False)])
def config(request):
    return request.param


@pytest.fixture(scope="module")
def plain_characters(config):
    return [c for c in map(chr, range(0x10000)) if re.fullmatch(plain_pattern(config), c)]


def test_no_plain_character_is_decomposed(plain_characters):
    """Else a text would have to be folded before it may be called plain."""
    assert len(plain_characters) > 500
    assert [c for c in plain_characters if unicodedata.normalize("NFD", c) != c] == []


def test_plain_way_is_the_general_way(config, plain_characters):
    texts = tf.constant([f"ab{c}b {c}{c} {c}a{d}" for c, d in itertools.pairwise(plain_characters)])
    pieces = sorted({piece for c in plain_characters for piece in (c, c.lower(), "##" + c, "##" + c.lower())} - {" "})
    tokenizer = Tokenizer(["[UNK]", *(p for p in pieces if p.strip())], config)
    assert bool(tf.reduce_all(is_plain(texts, config)))
    by_words = Normalizer(config).words(texts).strings
    general = by_words.with_values(tokenizer._of_words.tokenize(by_words.values)).merge_dims(1, 2)
    assert tokenizer(texts).to_list() == general.to_list()


def test_texts_that_are_not_plain():
    texts = ["a" * 999 + "-" + "ß" * 20, "a" + "ß" * 20, "Ä", "Σ", "か", "\x7f", "\ufdd0", "a\u00ad"]
    assert is_plain(texts, TextConfig()).numpy().tolist() == [True] + [False] * 7
    assert is_plain(["aß", "aaß", "ab" * 9], TextConfig(max_word_chars=6)).numpy().tolist() == [True, False, True]
