"""Vocabulary aliases for accented letters, because MediaPipe's tokenizer does not strip accents.

MediaPipe lower-cases ASCII letters only, so that "Café" would be unknown to a lower-case model. With "é" in the
vocabulary it is read as "caf", "##é", and the exported model replaces that id by the one of "##e".
"""

from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.text.tokenizers.vocabulary import CONTINUATION

_LETTERS = [chr(code) for code in range(0xC0, 0x2000) if chr(code).isalpha()]  # without Asian scripts


def accent_aliases(tokenizer: Tokenizer) -> dict[str, int]:
    """Tokens that the vocabulary lacks, each with the id of the token that the tokenizer reads instead."""
    vocabulary, aliases = tokenizer.vocabulary, {}
    for letter, ids in zip(_LETTERS, tokenizer(_LETTERS).to_list(), strict=True):
        if len(ids) != 1 or ids[0] == tokenizer.unk_id:
            continue
        plain = vocabulary[ids[0]]
        for prefix in ("", CONTINUATION):
            alias, number = prefix + letter, tokenizer.id_of(prefix + plain)
            if tokenizer.id_of(alias) is None and number is not None:
                aliases[alias] = number
    return aliases
