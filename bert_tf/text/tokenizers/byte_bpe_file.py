"""Files of byte-level BPE tokenizers: vocab.json with merges.txt, and tokenizer.json, which holds all of it."""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from bert_tf.core.errors import InputError
from bert_tf.core.files import parse_json, read_json, read_text
from bert_tf.text.tokenizers.vocabulary import SPELLINGS, Vocabulary

NAME, VOCABULARY, MERGES = "tokenizer.json", "vocab.json", "merges.txt"
# Settings of the model in tokenizer.json that would change its tokens, with the values that are read.
_MODEL_SETTINGS = {
    "dropout": (None, 0, 0.0),
    "continuing_subword_prefix": (None, ""),
    "end_of_word_suffix": (None, ""),
    "byte_fallback": (None, False),
    "ignore_merges": (None, False),
}


@dataclasses.dataclass(frozen=True)
class AddedToken:
    """A token that is kept whole wherever a text has it.

    Attributes:
        content: its text.
        special: whether it has a role instead of a meaning as text.
        lstrip: whether white space before it is dropped.
    """

    content: str
    special: bool = False
    lstrip: bool = False


@dataclasses.dataclass(frozen=True)
class BytePairModel:
    """The content of a tokenizer.json.

    Attributes:
        tokens: the tokens by id, in characters for bytes; added tokens as they are.
        merges: pairs of tokens, the first of which are merged first.
        added: the added tokens.
        compose: whether texts are brought into normal form C.
        add_prefix_space: whether a blank is put before texts that begin with none.
        trim_offsets: whether the source of a token is without white space around it.
        separators: special tokens between two segments.
        special: the special tokens in the order of `SpecialTokens`.
    """

    tokens: list[str]
    merges: list[tuple[str, str]]
    added: list[AddedToken]
    compose: bool
    add_prefix_space: bool
    trim_offsets: bool
    separators: int
    special: tuple[str, ...]


@functools.cache
def characters_of_bytes() -> list[str]:
    """The character that stands for each byte in the files of byte-level tokenizers; those of ASCII look alike."""
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = [byte for byte in range(256) if byte not in visible]
    characters = {byte: chr(byte) for byte in visible} | {byte: chr(256 + i) for i, byte in enumerate(hidden)}
    return [characters[byte] for byte in range(256)]


@functools.cache
def _bytes_of_characters() -> dict[str, int]:
    return {character: byte for byte, character in enumerate(characters_of_bytes())}


def to_bytes(token: str) -> bytes | None:
    """The bytes that a token stands for; None where it has other characters, as special tokens may."""
    found = [_bytes_of_characters().get(character) for character in token]
    return None if None in found else bytes(found)


def read_tokenizer_json(path: pathlib.Path) -> Vocabulary:
    """Opens a tokenizer.json; `InputError` where it is none of byte-level BPE."""
    return vocabulary_of(read_text(path), path)


def read_pair(vocabulary: pathlib.Path, merges: pathlib.Path, **settings: bool) -> Vocabulary:
    """Opens a vocab.json and its merges.txt, as RoBERTa's; `InputError` where they do not fit each other.

    `settings` are those of `tokenizer_json`.
    """
    ids = read_json(vocabulary)
    lines = read_text(merges).split("\n")
    pairs = [line.removesuffix("\r").split(" ") for line in lines if line.strip() and not line.startswith("#version")]
    known = ids if isinstance(ids, dict) else {}
    added = [name for names in SPELLINGS for name in names if name in known]
    text = json.dumps(tokenizer_json(ids, pairs, added, **settings), ensure_ascii=False)
    return vocabulary_of(text, f"{vocabulary} and {merges.name}")


def vocabulary_of(text: str, source: object = NAME) -> Vocabulary:
    """The `Vocabulary` of a tokenizer.json's text; `InputError` that names `source` where it has none."""
    try:
        return Vocabulary(parse_model(text.encode()).tokens, NAME, text.encode())
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def tokenizer_json(
    ids: dict[str, int],
    merges: Sequence[Sequence[str]],
    added: Iterable[str],
    trim_offsets: bool = False,
    add_prefix_space: bool = False,
) -> dict[str, Any]:
    """The content of a tokenizer.json with RoBERTa's layout, `<s> a </s></s> b </s>`, where the vocabulary has `<s>`.

    Args:
        ids: the vocabulary.
        merges: pairs of tokens in the order of their ranks.
        added: special tokens; one called <mask> takes the blank before it, as RoBERTa's.
        trim_offsets: whether the source of a token is without white space around it.
        add_prefix_space: whether a blank is put before texts that begin with none.
    """
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": add_prefix_space,
        "trim_offsets": trim_offsets,
        "use_regex": True,
    }
    flags = {"single_word": False, "rstrip": False, "normalized": False, "special": True}
    processor: dict[str, Any] = byte_level
    cls, sep = SPELLINGS[2][0], SPELLINGS[3][0]
    if cls in ids and sep in ids:
        pairs = {"sep": [sep, ids[sep]], "cls": [cls, ids[cls]]}
        processor = {"type": "RobertaProcessing", **pairs, "trim_offsets": trim_offsets}
        processor["add_prefix_space"] = add_prefix_space
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": ids[t], "content": t, "lstrip": t == "<mask>"} | flags for t in added],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": processor,
        "decoder": byte_level,
        "model": {"type": "BPE"} | dict.fromkeys(_MODEL_SETTINGS) | {"byte_fallback": False, "ignore_merges": False}
        | {"unk_token": None, "fuse_unk": False, "vocab": ids, "merges": [list(pair) for pair in merges]},
    }  # fmt: skip


@functools.lru_cache(4)
def parse_model(content: bytes) -> BytePairModel:
    """The content of a tokenizer.json; `InputError` where it is none, or of another kind."""
    settings = parse_json(content.decode(), NAME)
    try:
        return _model(settings)
    except InputError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"no tokenizer.json of the `tokenizers` library: {error!r}.") from None


def _model(content):
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise InputError("no tokenizer. A tokenizer.json has a 'model'.")
    model = content["model"]
    kind = model.get("type") or ("BPE" if "merges" in model else "unknown")
    if kind != "BPE":
        raise InputError(f"holds a {kind} vocabulary. Byte-level BPE was expected.")
    for name, known in _MODEL_SETTINGS.items():
        if model.get(name) not in known:
            raise InputError(f"{name}={model[name]!r} is not supported; BPE with {name}={known[0]!r} is.")
    before = _parts(content, "pre_tokenizer", "pretokenizers", ("ByteLevel",))
    if not before or before[-1].get("use_regex") is False:
        raise InputError("its words are not split by GPT-2's rule (pre_tokenizer ByteLevel with use_regex).")
    normalizer = _parts(content, "normalizer", "normalizers", ("NFC",))
    after = _parts(content, "post_processor", "processors", ("RobertaProcessing", "TemplateProcessing", "ByteLevel"))
    added = [token for token in content.get("added_tokens") or [] if isinstance(token, dict)]
    ids = dict(_check_ids(model.get("vocab")))
    in_text = ids | {str(token.get("content")): token.get("id") for token in added}
    tokens = _in_order(in_text)
    special = _special_tokens(in_text, after)
    trims = [part["trim_offsets"] for part in after if "trim_offsets" in part]
    return BytePairModel(
        tokens=tokens,
        merges=_check_merges(model.get("merges"), ids),
        added=[
            AddedToken(token["content"], **{name: bool(token.get(name)) for name in ("special", "lstrip")})
            for token in added
        ],
        compose=bool(normalizer),
        add_prefix_space=bool(before[-1].get("add_prefix_space")),
        trim_offsets=bool(trims and trims[-1]),
        separators=2 if any(part["type"] == "RobertaProcessing" for part in after) else 1,
        special=special,
    )


def _parts(content, name, list_name, known):
    """The parts of a normalizer and so on, whether it is one or a sequence of them."""
    found = content.get(name) or {"type": "Sequence"}
    parts = found.get(list_name, []) if found.get("type") == "Sequence" else [found]
    for part in parts:
        if part.get("type") not in known:
            raise InputError(f"{name} {part.get('type')} is not supported; {', '.join(known)} is.")
    return parts


def _special_tokens(ids, after):
    """The special tokens by role: those of the layout, else the first usual spelling that the vocabulary has."""
    found = [next((name for name in names if name in ids), names[0]) for names in SPELLINGS]
    for part in after:
        if part["type"] == "RobertaProcessing":
            found[2:4] = part["cls"][0], part["sep"][0]
        elif part["type"] == "TemplateProcessing":
            names = [item["SpecialToken"]["id"] for item in part["single"] if "SpecialToken" in item]
            found[2:4] = names if len(names) == 2 else found[2:4]
    return tuple(found)


def _check_ids(ids):
    if not isinstance(ids, dict) or not ids or not all(type(i) is int for i in ids.values()):
        raise InputError("no vocabulary. Tokens with their numbers are needed.")
    return ids


def _in_order(ids):
    if set(ids.values()) != set(range(len(ids))):
        raise InputError(f"the ids of its {len(ids)} tokens are not 0 to {len(ids) - 1}.")
    return sorted(ids, key=lambda token: ids[token])


def _check_merges(merges, ids):
    """Pairs of tokens, all of whose parts and results are in the vocabulary."""
    if not isinstance(merges, list):
        raise InputError("no merges, which byte-level BPE needs.")
    pairs = []
    for number, merge in enumerate(merges, 1):
        pair = tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge)
        if len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise InputError(f"merge {number}, {merge!r}, is not two tokens.")
        lacking = [token for token in (*pair, "".join(pair)) if token not in ids]
        if lacking:
            raise InputError(
                f"merge {number}, {' '.join(pair)!r}, does not fit the vocabulary, which has no {lacking[0]!r}. "
                "Use the vocabulary and the merges of one model."
            )
        if to_bytes("".join(pair)) is None:
            raise InputError(f"merge {number}, {' '.join(pair)!r}, is not byte-level.")
        pairs.append(pair)
    return pairs
