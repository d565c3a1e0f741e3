"""Added tokens: ids and offsets of the library `tokenizers`, eager and in a graph."""

import json

import pytest
import tensorflow as tf

from bert_tf.core.config import TextConfig, from_dict
from bert_tf.core.errors import InputError
from bert_tf.text.tokenizers.huggingface import fast_tokenizer
from bert_tf.text.tokenizers.wordpiece import Tokenizer

WORDS = ["a", "b", "the", "##a", "##b", "[", "]", "ent", "covid", "1", "9", "##1", "##9", "x", "##x", "\u5317"]
ADDED = ("[ENT]", "[ENT2]", "<x>"), ("Covid19", "b.c+")
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *ADDED[0], *ADDED[1]]
TEXTS = [
    *("a [ENT] b", "[ENT][ENT2] the", "the covid19 a COVID19b", "", "[ent] [ENT", "  [ENT]  ", "ab[ENT]ba Covid19"),
    *("\u00e9[ENT]\u00e9 \u5317[ENT]\u5317", "[MASK] a [SEP]x<x>x\x1e a", "\u212aB.C+bxc+"),
]


@pytest.mark.parametrize("lower_case", [True, False])
def test_ids_and_offsets_are_those_of_the_library(lower_case):
    text = TextConfig(lower_case, added_tokens=ADDED[0], added_any_case=ADDED[1], max_word_chars=100)
    theirs = fast_tokenizer(VOCABULARY, text).encode_batch(TEXTS, add_special_tokens=False)
    tokenizer = Tokenizer(VOCABULARY, TextConfig(**vars(text) | {"special_tokens": True}))
    ids, starts, ends = tokenizer.with_offsets(TEXTS)
    for i, expected in enumerate(theirs):
        assert ids[i].numpy().tolist() == expected.ids, TEXTS[i]
        assert list(zip(starts[i].numpy(), ends[i].numpy(), strict=True)) == expected.offsets, TEXTS[i]
    graph = tf.function(tokenizer.__call__, input_signature=[tf.TensorSpec([None], tf.string)])
    assert graph(tf.constant(TEXTS)).to_list() == tokenizer(TEXTS).to_list() == ids.to_list()
    assert tokenizer("a [ENT]").numpy().tolist() == [5, 21]


def test_settings_without_added_tokens_are_written_as_before():
    assert list(TextConfig().to_json()) == [
        "lower_case",
        "strip_accents",
        "split_cjk",
        "max_word_chars",
        "special_tokens",
    ]
    written = TextConfig(added_tokens=("[ENT]",)).to_json()
    assert written == json.loads(json.dumps(written))
    assert from_dict(TextConfig, written) == TextConfig(added_tokens=("[ENT]",))


def test_an_added_token_without_an_id():
    with pytest.raises(InputError, match="'x y' is not in the vocabulary"):
        Tokenizer(VOCABULARY, TextConfig(added_tokens=("x y",)))
