import itertools
import re
import unicodedata

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from bert_tf.core.config import TextConfig
from bert_tf.text.tokenizers import unicode_tables as ch
from bert_tf.text.tokenizers.normalizer import Normalizer
from tests.text.bert_oracle import basic_words

pytestmark = pytest.mark.skipif(
    unicodedata.unidata_version != ch.UNICODE_VERSION, reason="the oracle follows the Unicode version of its Python"
)
COMPOSED_LATER = re.compile(f"[{ch.COMPOSED_LATER}]")
UNCASED, CASED = TextConfig(), TextConfig(lower_case=False)
# Letters, marks and blanks whose treatment depends on their neighbours, or changes their number.
TRICKY = (
    "aAΣσς'.:\u0301\u0345\u00ad\u200d\u0130\u1e9e\u03a9\u2126\u212b한글\uac01中\uf900\u3000\u2028\x00\x85\ufffd#[]ǅʰⒶ"
)
TEXTS = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(TRICKY), st.sampled_from("aΣ ")))


def words_of(config, texts):
    normalizer = Normalizer(config)
    words = normalizer.words(normalizer.protect(tf.constant([text.encode() for text in texts], tf.string))).strings
    return [[word.decode() for word in row] for row in words.to_list()]


def assert_as_reference(config, texts):
    folding = config.lower_case, config.strip_accents, config.split_cjk
    for text, found in zip(texts, words_of(config, texts), strict=True):
        assert found == basic_words(text, *folding), ascii(text)


@pytest.fixture(scope="module")
def assigned():
    """Every assigned character but private ones, and some of the others."""
    characters = map(chr, itertools.chain(range(0xD800), range(0xE000, 0x110000)))
    by_use = [c for c in characters if unicodedata.category(c) not in ("Cn", "Co") or ord(c) % 997 == 0]
    return [c for c in by_use if not COMPOSED_LATER.match(c)]


@pytest.mark.parametrize("strip_accents, split_cjk", [(None, True), (True, True), (False, True), (None, False)])
@pytest.mark.parametrize("lower_case", [True, False])
def test_every_character(assigned, lower_case, strip_accents, split_cjk):
    config = TextConfig(lower_case=lower_case, strip_accents=strip_accents, split_cjk=split_cjk)
    assert_as_reference(config, [f"a{c}b {c}" for c in assigned])


@pytest.mark.parametrize("frame", ["{}Σ", "aΣ{}", "aΣ{}a", "A{}Σ"])
def test_final_sigma_beside_every_character(assigned, frame):
    assert_as_reference(UNCASED, [frame.format(c) for c in assigned])


@pytest.mark.parametrize(
    "config", [UNCASED, CASED, TextConfig(strip_accents=False)], ids=["uncased", "cased", "accents"]
)
@settings(deadline=None, max_examples=150)
@given(texts=st.lists(TEXTS, max_size=8))
def test_any_text(config, texts):
    assert_as_reference(config, [COMPOSED_LATER.sub("", text) for text in texts])


def test_characters_composed_after_the_followed_version_stay_unassigned():
    assert words_of(UNCASED, ["a\U000105c9b"]) == [["a\uffffb"]]
    assert words_of(CASED, ["a\U000105c9b"]) == [["a\U000105c9b"]]


def test_word_limit_counts_characters():
    config = TextConfig(max_word_chars=3)
    expected = [["abc", "ééé".replace("é", "e"), "\uffff", ".", "жжж"]]
    assert words_of(config, ["abc ééé abcd.жжж"]) == expected


def test_special_tokens_stay_whole_only_where_asked():
    text = "A[MASK]b [mask] \ufdd0"
    assert words_of(UNCASED, [text])[0][:5] == ["a", "[", "mask", "]", "b"]
    on = words_of(TextConfig(special_tokens=True), [text, "[SEP][SEP]"])
    assert on == [["a", "[MASK]", "b", "[", "mask", "]", "\ufdef"], ["[SEP]", "[SEP]"]]


def test_source_covers_accents_written_apart():
    normalizer = Normalizer(UNCASED)
    _, starts, ends = normalizer.words_with_source(tf.constant(["e\u0301\u0302 \u00ad한x"]))
    # e with both accents; the blank is no word; the soft hyphen is nobody's; one syllable makes three letters.
    assert starts.numpy().tolist() == [0, 5, 5, 5, 6]
    assert ends.numpy().tolist() == [3, 6, 6, 6, 7]
