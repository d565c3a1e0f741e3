import itertools
import random
import re
import unicodedata

import pytest
import tensorflow as tf

from bert_tf.core.config import TextConfig
from bert_tf.text.tokenizers import unicode_tables as ch
from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.text.tokenizers.fast_wordpiece import Rewriter
from tests.text.bert_oracle import basic_words, pieces_of_word

reference_unicode = pytest.mark.skipif(
    unicodedata.unidata_version != ch.UNICODE_VERSION, reason="the oracle follows the Unicode version of its Python"
)


@pytest.fixture(scope="module")
def assigned():
    """Every assigned character but private ones, and some of the others."""
    characters = map(chr, itertools.chain(range(0xD800), range(0xE000, 0x110000)))
    by_use = [c for c in characters if unicodedata.category(c) not in ("Cn", "Co") or ord(c) % 97 == 0]
    return [c for c in by_use if not re.match(f"[{ch.COMPOSED_LATER}{ch.NEVER_ASSIGNED}]", c)]


@reference_unicode
@pytest.mark.parametrize(
    "config",
    [TextConfig(), TextConfig(lower_case=False, split_cjk=False), TextConfig(strip_accents=False)],
    ids=["uncased", "cased, ideographs in words", "accents"],
)
def test_every_character(assigned, config):
    """With a vocabulary of single characters the pieces tell every character of every word."""
    letters = sorted({c for c in assigned if c.split() and c != "\0"})
    vocabulary = ["[UNK]", *letters, *("##" + c for c in letters)]
    texts = [f"a{c}b {c}" for c in assigned]
    folding = config.lower_case, config.strip_accents, config.split_cjk
    for text, ids in zip(texts, Tokenizer(vocabulary, config)(texts).to_list(), strict=True):
        words = basic_words(text, *folding)
        assert [vocabulary[i] for i in ids] == [c if i == 0 else "##" + c for w in words for i, c in enumerate(w)]


@reference_unicode
@pytest.mark.parametrize("frame", ["{}Σ", "aΣ{}", "aΣ{}a", "A{}Σ", "ΣΣ{}ΣΣ Σ"])
def test_final_sigma_beside_every_character(assigned, frame):
    texts = [frame.format(c) for c in assigned]
    rewritten = Rewriter(TextConfig(), ["[UNK]", "σ"]).without_capital_sigma(texts).numpy()
    for text, found in zip(texts, rewritten, strict=True):
        expected = "".join(basic_words(text))
        assert [c for c in found.decode() if c in "Σσς"] == [c for c in expected if c in "σς"], ascii(text)


def test_bytes_that_are_no_utf8_leave_no_trace():
    choose = random.Random(1)
    parts = [b"a", b"\xe4", b"\xb8", b"\xad", b"\xf0", b"\x9f", b"\x98", b"\xce", b"\xa3", b" ", b"\xed\xa0", b"\xff"]
    texts = [b"".join(choose.choices(parts, k=choose.randrange(8))) for _ in range(5000)]
    tokenizer = Tokenizer(["[UNK]", "a", "##a", "σ", "ς", "##σ", "##ς", "中"])
    assert tokenizer(texts).to_list() == tokenizer([text.decode("utf-8", "ignore") for text in texts]).to_list()


def pieces(vocabulary, text, **settings):
    return [vocabulary[i] for i in Tokenizer(vocabulary, TextConfig(**settings))(text).numpy()]


def test_characters_that_the_op_would_split_at_belong_to_their_word():
    later = ["[UNK]", "a", "##b", "##\U00011b00"]
    assert pieces(later, "a\U00011b00b \U00011b01 a\U00011b01") == ["a", "##\U00011b00", "##b", "[UNK]", "[UNK]"]
    whole = ["[UNK]", "中文", "##字", "\U000f0000", "a"]
    assert pieces(whole, "中文字a", split_cjk=False) == ["[UNK]"]
    # The first private character is taken, the next ones stand in for 字, 文, 中 and are unknown themselves.
    text = "中文字 \U000f0000 \U000f0001 国 a"
    assert pieces(whole, text, split_cjk=False) == ["中文", "##字", "\U000f0000", "[UNK]", "[UNK]", "a"]
    assert pieces(whole, "a\U00020000a") == ["a", "[UNK]", "a"]


@pytest.mark.parametrize(
    "marks", ["\u302e\U0001d165", "\U0001d165\u302e", "\u302e\u0301\U0001d165", "\u302e\u0941\U0001d165"]
)
def test_marks_come_in_canonical_order(marks):
    vocabulary = ["[UNK]", "a", "##\u302e", "##\U0001d165"]
    expected = pieces_of_word(basic_words("a" + marks)[0], set(vocabulary))
    assert pieces(vocabulary, "a" + marks) == expected and len(expected) == 3


@pytest.mark.parametrize("limit", [5, 200, 1100])
def test_long_words_are_told_by_their_characters(limit):
    vocabulary = ["[UNK]", "ก", "##ก", "中", "b", "##b", "."]
    words = ["ก" * limit, "ก" * (limit + 1), "b" * limit, "b" * (limit + 1), "中" * (limit + 1)]
    expected = [[1] + [2] * (limit - 1), [0], [4] + [5] * (limit - 1), [0], [3] * (limit + 1)]
    tokenizer = Tokenizer(vocabulary, TextConfig(max_word_chars=limit))
    assert tokenizer(words).to_list() == expected
    assert tokenizer([" ".join(words)]).to_list() == [sum(expected, [])]
    assert tokenizer(".".join(words)).numpy().tolist() == sum([ids + [6] for ids in expected], [])[:-1]


def test_sigma_is_marked_where_it_matters_only():
    assert Rewriter(TextConfig(), ["[UNK]", "aς"]).marks_sigma
    assert not Rewriter(TextConfig(lower_case=False), ["[UNK]", "aς"]).marks_sigma
    assert not Rewriter(TextConfig(), ["[UNK]", "a"]).marks_sigma
    assert pieces(["[UNK]", "aσ", "aς"], "AΣ AΣ. AΣ' ΣA") == ["aς", "aς", "[UNK]", "aς", "[UNK]", "[UNK]"]


def test_graph_is_small():
    """A graph that starts pays for each node."""
    tokenizer = Tokenizer(["[UNK]", "a", "σ"])
    graph = tf.function(tokenizer, input_signature=[tf.TensorSpec([None], tf.string)]).get_concrete_function().graph
    functions = graph.as_graph_def().library.function
    assert len(graph.get_operations()) + sum(len(function.node_def) for function in functions) < 50
