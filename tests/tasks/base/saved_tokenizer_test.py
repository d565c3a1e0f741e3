"""How a model's config describes its tokenizer."""

import json

from bert_tf.tasks.base.saved_tokenizer import describe_tokenizer, find_tokenizer
from bert_tf.text.tokenizers import byte_bpe_file
from bert_tf.text.tokenizers.base import Tokenizer


def make_tokenizer(**settings):
    ids = {character: i for i, character in enumerate(byte_bpe_file.characters_of_bytes())}
    content = byte_bpe_file.tokenizer_json(ids, [], [], **settings)
    return Tokenizer(byte_bpe_file.vocabulary_of(json.dumps(content)))


def test_tokenizers_of_the_same_tokens_are_told_apart():
    tokenizers = [make_tokenizer(trim_offsets=trims) for trims in (False, True)]
    descriptions = list(map(describe_tokenizer, tokenizers))
    assert tokenizers[0].vocabulary[:] == tokenizers[1].vocabulary[:]
    assert list(map(find_tokenizer, descriptions)) == tokenizers
