"""WordPiece vocabularies as tokenizer.json of the Rust `tokenizers` library, which transformers reads."""

import pathlib
import typing
from typing import Any

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import InputError
from bert_tf.text.tokenizers.vocabulary import CLS, SEP, SPECIAL_TOKENS, UNK, matched_tokens

if typing.TYPE_CHECKING:
    import tokenizers

# The special tokens by their names in tokenizer_config.json.
TOKEN_NAMES = {f"{token.strip('[]').lower()}_token": token for token in SPECIAL_TOKENS}


def fast_vocabulary(kind: str, ids: dict[str, Any], added: list, path: pathlib.Path) -> list[str]:
    """The tokens in a tokenizer.json; one that is not WordPiece, or whose ids have gaps, raises `InputError`.

    Args:
        kind: the type of its model.
        ids: the vocabulary of its model.
        added: its added tokens, a list of {"content", "id", ...}.
        path: names the file in messages.
    """
    if kind != "WordPiece":
        raise InputError(f"{path} holds a {kind} vocabulary. BERT's are of type WordPiece.")
    ids = ids | {str(token.get("content")): token.get("id") for token in added if isinstance(token, dict)}
    if set(ids.values()) != set(range(len(ids))):
        raise InputError(f"{path}: the ids of its {len(ids)} tokens are not 0 to {len(ids) - 1}.")
    return sorted(ids, key=lambda token: ids[token])


def fast_tokenizer(vocabulary: list[str], text: TextConfig) -> "tokenizers.Tokenizer":
    """The tokenizer of the Rust library for a vocabulary and its settings, which its `save` writes."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    ids = {token: i for i, token in enumerate(matched_tokens(vocabulary))}  # every id, so that none is lost
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token=UNK, max_input_chars_per_word=text.max_word_chars))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=text.split_cjk,
        strip_accents=text.strip_accents,
        lowercase=text.lower_case,
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([token for token in SPECIAL_TOKENS if token in ids])
    if CLS in ids and SEP in ids:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{CLS} $A {SEP}",
            pair=f"{CLS} $A {SEP} $B:1 {SEP}:1",
            special_tokens=[(token, ids[token]) for token in (CLS, SEP)],
        )
    return tokenizer
