"""WordPiece vocabularies as tokenizer.json of the Rust `tokenizers` library, which transformers reads."""

import dataclasses
import pathlib
import typing
from collections.abc import Iterable
from typing import Any

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import InputError
from bert_tf.text.tokenizers.vocabulary import CLS, SEP, SPECIAL_TOKENS, UNK, matched_tokens

if typing.TYPE_CHECKING:
    import tokenizers

# The special tokens by their names in tokenizer_config.json.
TOKEN_NAMES = {f"{token.strip('[]').lower()}_token": token for token in SPECIAL_TOKENS}


@dataclasses.dataclass(frozen=True)
class AddedToken:
    """A token that was added to a vocabulary, found in texts before they are split.

    Attributes:
        content: the token.
        id: its id.
        exact: whether it is found as it is written; else its case does not matter where texts are lower-cased.
    """

    content: str
    id: int
    exact: bool


def fast_vocabulary(kind: str, ids: dict[str, Any], path: pathlib.Path) -> list[str]:
    """The tokens in the model of a tokenizer.json, "" for ids without one; `InputError` where it is no WordPiece.

    Args:
        kind: the type of its model.
        ids: the vocabulary of its model.
        path: names the file in messages.
    """
    if kind != "WordPiece":
        raise InputError(f"{path} holds a {kind} vocabulary. BERT's are of type WordPiece.")
    # Ids without a token come from blank lines and doubles, so there are few; an absurd id asks for any memory.
    largest = 2 * len(ids)
    if not all(isinstance(i, int) and 0 <= i < largest for i in ids.values()) or len(set(ids.values())) < len(ids):
        raise InputError(f"{path}: the ids of its {len(ids)} tokens are not 0 to {len(ids) - 1}.")
    tokens = [""] * (max(ids.values(), default=-1) + 1)
    for token, i in ids.items():
        tokens[i] = token
    return tokens


def with_added(tokens: list[str], added: Iterable[AddedToken], path: pathlib.Path) -> list[str]:
    """The vocabulary with the added tokens; an id that is taken by another token, or too high, raises `InputError`."""
    tokens = list(tokens)
    for token in sorted(added, key=lambda token: token.id):
        if token.id == len(tokens):
            tokens.append(token.content)
        elif not 0 <= token.id < len(tokens) or tokens[token.id] not in ("", token.content):
            raise InputError(f"{path}: the added token {token.content!r} has the id {token.id}, which is not free.")
        tokens[token.id] = token.content
    return tokens


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
    special = [token for token in SPECIAL_TOKENS if token in ids]
    tokenizer.add_special_tokens([*special, *text.added_tokens])
    tokenizer.add_tokens(list(text.added_any_case))
    if CLS in ids and SEP in ids:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{CLS} $A {SEP}",
            pair=f"{CLS} $A {SEP} $B:1 {SEP}:1",
            special_tokens=[(token, ids[token]) for token in (CLS, SEP)],
        )
    return tokenizer
