"""Byte-level BPE (GPT-2, RoBERTa, ModernBERT): the ids of Hugging Face's `tokenizers`, as TensorFlow ops."""

import dataclasses
import functools
import itertools
import os
import pathlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import InputError
from bert_tf.core.files import atomic_file
from bert_tf.text.tokenizers import byte_bpe_file, byte_level, sentencepiece_model
from bert_tf.text.tokenizers.base import SpecialTokens, Tokenizer, as_strings, merge_tokens
from bert_tf.text.tokenizers.vocabulary import Vocabulary

# Marks before a chunk that is an added token, and before white space that one drops; not in any UTF-8 text.
_ADDED, _DROPPED = b"\xff\xfd", b"\xff\xfc"
_MISSING = -1
_COMPOSITION = 3  # the most bytes of a character in a text for one of its normal form C


class BytePairTokenizer(Tokenizer):
    """The tokenizer of RoBERTa and ModernBERT.

    tensorflow-text has no op for it. Texts are cut before white space; a chunk that is one token, as four of five are,
    is found in a table. The others, each distinct one of a batch once, are split into pre-tokens by a regular
    expression and looked up again, and only those that are left are merged, by tensorflow-text's SentencePiece op with
    a BPE model that is made from the merges (`_merging_model` says why its tokens are the same). Runs of Chinese, which
    has no blanks, are cut after letters that no token goes on from (`byte_level.cuts_of`).

    Also tried, in MB of English per second of one busy core: the SentencePiece op on whole texts, 0.9, or on all
    chunks, 1.3; `RegexSplitter` for the chunks, 9, where replacing and splitting take 20; a `FastWordpieceTokenizer` or
    `tf.unique` in place of the table, 23, where the table takes 101. A merge loop in TensorFlow ops was not built: it
    would run once for each merge of a batch's longest word.

    Invalid UTF-8 is read as replacement characters, as Python decodes it. Case is kept, whatever the config says.

    Args:
        vocabulary: a `Vocabulary` of the content of a tokenizer.json. `InputError` where it is of another kind.
        config: a `TextConfig`.
    """

    FILE_NAME = byte_bpe_file.NAME

    def __init__(self, vocabulary: Vocabulary, config: TextConfig | None = None):
        config = dataclasses.replace(config or TextConfig(), lower_case=False, strip_accents=False)
        super().__init__(vocabulary, config)
        self._vocabulary = vocabulary
        model = self._model
        self.SEPARATORS = model.separators
        added = [token for token in model.added if config.special_tokens or not token.special]
        self._added_pattern = _added_pattern(added)
        self._unknown_bytes = sorted(set(byte_bpe_file.characters_of_bytes()).difference(vocabulary))
        if self._unknown_bytes and self.unk_id is None:
            missing, unk = self._unknown_bytes[0], self.SPECIAL_TOKENS.unk
            raise InputError(f"The vocabulary has no token for the byte {missing!r}, and no {unk} in its place.")
        ranks = _ranks_of_tokens(model.merges)
        cuts = byte_level.cuts_of(byte_bpe_file.to_bytes(token) for token in ranks)
        self._pre_token = byte_level.pre_token_pattern(cuts)
        with tf.init_scope(), tf.device("CPU"):
            self._merger = tf_text.SentencepieceTokenizer(_merging_model(model.tokens, ranks))
            self._table = self._make_table(ranks, added)

    @classmethod
    def from_file(cls, path: str | os.PathLike, **settings) -> "BytePairTokenizer":
        """Opens a tokenizer.json, or a vocab.json with the merges.txt beside it."""
        path = pathlib.Path(path)
        if path.name == byte_bpe_file.VOCABULARY:
            vocabulary = byte_bpe_file.read_pair(path, path.with_name(byte_bpe_file.MERGES))
        else:
            vocabulary = byte_bpe_file.read_tokenizer_json(path)
        return cls(vocabulary, TextConfig(**settings))

    def save(self, path: str | os.PathLike) -> None:
        """Writes the tokenizer.json; the caller keeps `config`."""
        with atomic_file(path) as file:
            file.write_bytes(self._vocabulary.content)

    @property
    def _model(self):
        return byte_bpe_file.parse_model(self._vocabulary.content)

    @property
    def SPECIAL_TOKENS(self) -> SpecialTokens:  # noqa: N802, a constant of other tokenizers
        """The special tokens as strings, as the file names them."""
        return SpecialTokens(*self._model.special)

    @property
    def vocabulary(self) -> Vocabulary:
        return self._vocabulary

    @functools.cached_property
    def starts_word(self) -> np.ndarray:
        added = {token.content for token in self._model.added}
        return np.array([token in added or (self._bytes[i][:1]).isspace() for i, token in enumerate(self.vocabulary)])

    @functools.cached_property
    def token_texts(self) -> list[str]:
        return [text.decode(errors="replace").removeprefix(" ") for text in self._bytes]

    @functools.cached_property
    def ordinary_ids(self) -> np.ndarray:
        added = {token.content for token in self._model.added}.union(self.SPECIAL_TOKENS)
        return np.flatnonzero([token not in added for token in self.vocabulary]).astype(np.int32)

    def max_bytes(self, num_tokens: int) -> int:
        """As `Tokenizer`'s: every token may be the longest one."""
        return (num_tokens + 1) * max(map(len, self._bytes)) * (_COMPOSITION if self._model.compose else 1)

    def readable(self, tokens: Sequence[str]) -> str:
        spellings = self.spellings
        return b"".join(spellings[self.id_of(token)] for token in tokens).decode(errors="replace")

    @functools.cached_property
    def spellings(self) -> list[bytes]:
        left_out = (self.pad_id, self.cls_id, self.sep_id)
        return [b"" if i in left_out else content for i, content in enumerate(self._bytes)]

    def tidy(self, texts: tf.Tensor) -> tf.Tensor:
        return texts

    def __call__(self, texts: Any) -> tf.RaggedTensor:
        texts = as_strings(texts)
        if texts.shape.rank == 0:
            return self(texts[tf.newaxis]).values
        with tf.device("CPU"):
            chunks = self._chunks(self._with_blank(texts))
            return merge_tokens(chunks, self._look_up(chunks.values, self._of_chunks))

    def with_offsets(self, texts: Any) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        """As `Tokenizer`'s. A token that is a part of a character has the source of the whole character."""
        texts = as_strings(texts)
        if texts.shape.rank == 0:
            return tuple(x.values for x in self.with_offsets(texts[tf.newaxis]))
        with tf.device("CPU"):
            texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
            composed = byte_level.compose(texts) if self._model.compose else texts
            read = self._with_blank(composed)
            chunks = self._chunks(read)
            of_chunks = self._look_up(chunks.values, self._of_chunks)  # [C, (ids)]
            ids = merge_tokens(chunks, of_chunks)
            places = _characters(read, self._bytes_of_tokens(chunks.values, of_chunks))  # [2, tokens]
            if self._model.add_prefix_space:
                places = _before_blanks(read, composed, places)
            if self._model.compose:
                places = _before_composition(texts, composed, places)
            sizes = tf.strings.length(texts, "UTF8_CHAR")
            places -= tf.cast(tf.gather(tf.cumsum(sizes, exclusive=True), ids.value_rowids()), tf.int64)
            starts, ends = places[0], places[1] + 1
            if self._model.trim_offsets:
                starts, ends = self._trim(ids.values, starts, ends)
            return ids, ids.with_values(starts), ids.with_values(ends)

    def _trim(self, ids, starts, ends):
        """Starts and ends of tokens without blanks, as the reference counts them."""
        leading = [len(text) - len(text.lstrip(b" ")) for text in self._bytes]
        trailing = [len(text) - len(text.rstrip(b" ")) for text in self._bytes]
        leading, trailing = (tf.gather(tf.constant(blanks, tf.int64), ids) for blanks in (leading, trailing))
        if self._model.add_prefix_space:  # the blank of a first token may be one that was added
            leading = tf.where(starts == 0, tf.zeros_like(leading), leading)
        starts = tf.minimum(starts + leading, ends)
        return starts, tf.maximum(ends - trailing, starts)

    @functools.cached_property
    def _bytes(self):
        """The text of each token."""
        added = {token.content for token in self._model.added}
        texts = [None if token in added else byte_bpe_file.to_bytes(token) for token in self.vocabulary]
        return [token.encode() if text is None else text for token, text in zip(self.vocabulary, texts, strict=True)]

    def _make_table(self, ranks, added):
        """Ids of the texts that are one token, wherever they stand as a chunk or a pre-token."""
        ids = {bytes_: i for i, bytes_ in enumerate(self._bytes) if len(bytes_) == 1 or self.vocabulary[i] in ranks}
        keys = [key for key in ids if _is_utf8(key)]
        whole = (byte_level.pre_tokens(tf.constant(keys), byte_level.pre_token_pattern()).row_lengths() == 2).numpy()
        if self._model.compose:
            whole &= (byte_level.compose(tf.constant(keys)) == tf.constant(keys)).numpy()
        of_text = {key: ids[key] for key, is_whole in zip(keys, whole, strict=True) if is_whole}
        of_text |= {_ADDED + token.content.encode(): self.id_of(token.content) for token in added}
        keys, values = tf.constant(list(of_text)), tf.constant(list(of_text.values()), tf.int32)
        return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), _MISSING)

    def _with_blank(self, texts):
        """Texts [N], where the file wants it with a blank before those that begin with none."""
        if not self._model.add_prefix_space:
            return texts
        return tf.where((tf.strings.substr(texts, 0, 1) == " ") | (texts == ""), texts, tf.constant(" ") + texts)

    def _chunks(self, texts):
        """Texts [N] cut before white space and around added tokens: [N, (chunks)]."""
        if not self._added_pattern:
            return byte_level.chunks(texts)
        found = tf.reduce_any(tf.strings.regex_full_match(texts, f"(?s).*(?:{self._added_pattern}).*"))
        return tf.cond(found, lambda: self._chunks_with_added(texts), lambda: byte_level.chunks(texts))

    def _look_up(self, strings, encode):
        """Ids of strings [C]: [C, (ids)]. `encode` is called for the distinct ones that are not in the table."""
        ids = self._table.lookup(strings)
        missing = tf.where(ids == _MISSING)  # [M, 1]
        distinct, number = tf.unique(tf.gather_nd(strings, missing), tf.int64)
        others = encode(distinct)  # [D, (ids)]
        # The rows are those of the table, then the others.
        count = tf.size(ids, tf.int64)
        splits = tf.concat([tf.range(count), count + others.row_splits], 0)
        rows = tf.RaggedTensor.from_row_splits(tf.concat([ids, others.values], 0), splits, validate=False)
        return tf.gather(rows, tf.tensor_scatter_nd_update(tf.range(count), missing, count + number))

    def _of_chunks(self, chunks):
        """Ids of chunks [C] that are not in the table."""
        is_empty = _is_marked(chunks, _DROPPED) | _is_marked(chunks, _ADDED)  # without a token after the mark
        chunks = tf.where(is_empty, "", tf.strings.unicode_transcode(chunks, "UTF-8", "UTF-8"))
        if self._model.compose:
            chunks = byte_level.compose(chunks)
        parts = byte_level.pre_tokens(chunks, self._pre_token)
        return merge_tokens(parts, self._look_up(parts.values, self._merge))

    def _merge(self, parts):
        """Ids of pre-tokens [P] that are not one token."""
        ids = self._merger.tokenize(parts)
        if len(self._unknown_bytes):
            ids = ids.with_values(tf.where(ids.values < self.vocab_size, ids.values, self.unk_id))
        return ids

    def _chunks_with_added(self, texts):
        marks = [_DROPPED + rb"\1", _ADDED + rb"\2\3", b""]
        marked = tf.strings.regex_replace(texts, self._added_pattern, byte_level.BORDER + byte_level.BORDER.join(marks))
        parts = tf.strings.split(marked, byte_level.BORDER)
        is_marked = _is_marked(parts.values, _DROPPED) | _is_marked(parts.values, _ADDED)
        cut = byte_level.chunks(tf.where(is_marked, "", parts.values))  # a chunk for each marked part
        marked, part = (tf.repeat(x, cut.row_lengths()) for x in (is_marked, parts.values))
        return merge_tokens(parts, cut.with_values(tf.where(marked, part, cut.values)))

    def _bytes_of_tokens(self, chunks, ids):
        """First and last byte of each token in all texts, [2, tokens], from chunks [C] and their ids [C, (ids)]."""
        is_dropped = _is_marked(chunks, _DROPPED)
        sizes = tf.strings.length(chunks) - tf.where(is_dropped | _is_marked(chunks, _ADDED), len(_ADDED), 0)
        chunk_starts = tf.cumsum(sizes, exclusive=True)
        of_token = tf.gather(tf.constant(list(map(len, self._bytes))), ids.values)
        before = tf.concat([[0], tf.cumsum(of_token)], 0)
        shift = chunk_starts - tf.gather(before, ids.row_starts())
        starts = before[:-1] + tf.gather(shift, ids.value_rowids())
        ends = starts + of_token - 1
        if self._model.trim_offsets:
            return tf.stack([starts, ends])
        # White space that was dropped counts as part of the added token after it.
        dropped = tf.concat([[0], tf.where(is_dropped, sizes, 0)], 0)
        return tf.stack([starts - tf.gather(dropped, ids.value_rowids()), ends])


def _added_pattern(added):
    """Regular expression of tokens with three groups: blanks that are dropped, and the token, 2 or 3; "" for none."""
    longest = sorted(added, key=lambda token: -len(token.content))  # RE2 takes the first that matches
    strip, others = ("|".join(re.escape(t.content) for t in longest if t.lstrip is side) for side in (True, False))
    never = r"[^\s\S]"
    return f"({byte_level.SPACES}|)({strip or never})|({others or never})" if added else ""


def _is_marked(chunks, mark):
    return tf.strings.substr(chunks, 0, len(mark)) == mark


def _is_utf8(text):
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _ranks_of_tokens(merges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The tokens that merging ever makes, each with the rank of the merge that makes it."""
    ranks: dict[tuple[str, str], int] = {}
    for rank, pair in enumerate(merges):
        ranks.setdefault(pair, rank)  # a repeated merge never comes to be used
    last = {}
    for left, right in merges:
        rank = _last_rank(left + right, ranks)
        if rank is not None:
            last[left + right] = rank
    return last


def _last_rank(text: str, ranks: dict[tuple[str, str], int]) -> int | None:
    """The rank of the merge that makes one token of `text`, None where several are left."""
    parts, rank = list(text), None
    while len(parts) > 1:
        rank, place = min((ranks.get(pair, len(ranks)), i) for i, pair in enumerate(itertools.pairwise(parts)))
        if rank == len(ranks):
            return None
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
    return rank


def _merging_model(tokens: Sequence[str], ranks: dict[str, int]) -> bytes:
    """A SentencePiece model that merges pre-tokens as byte-level BPE does, with the same ids.

    SentencePiece merges the neighbours whose concatenation has the highest score, the leftmost first; BPE those whose
    pair has the lowest rank. With scores of minus the rank this is the same. For take neighbours l, r in a text whose
    concatenation t is a token that merging makes. No merge has crossed the ends of l r, so that the merges inside are
    the first of those that make t from its characters, in the same order; the only pair among these is the last one,
    whose rank t has.

    Bytes become characters by the model's own normalization. Bytes that are no token get ids after the vocabulary.
    """
    characters = byte_bpe_file.characters_of_bytes()
    zero = str.maketrans(characters[0], "\0")  # the map of characters cannot hold byte 0, which stays as it is
    model = sentencepiece_model.model_class()()
    for i, token in enumerate(tokens):
        if token in ranks or (len(token) == 1 and token in characters):
            model.pieces.add(piece=token.translate(zero).encode(), score=-ranks.get(token, 0))
        else:  # never made from text
            model.pieces.add(piece=b"\x01%d" % i, type=sentencepiece_model.CONTROL)
    for character in sorted(set(characters).difference(tokens)):
        model.pieces.add(piece=character.translate(zero).encode())
    model.pieces.add(piece=b"\x01", type=sentencepiece_model.UNKNOWN)  # needed, and never used
    model.trainer_spec.model_type = sentencepiece_model.BPE
    spec = model.normalizer_spec
    spec.precompiled_charsmap = _map_of_bytes(characters)
    spec.add_dummy_prefix = spec.remove_extra_whitespaces = spec.escape_whitespaces = False
    return model.SerializeToString()


def _map_of_bytes(characters):
    """A map of SentencePiece's normalization from each byte but 0 to its character.

    A double-array trie (darts-clone) of 512 units, its length in bytes before it, and a pool of strings after it.
    """
    strings = [character.encode() + b"\0" for character in characters[1:]]
    places = np.cumsum([0, *map(len, strings)])[:-1]
    byte = np.arange(1, 256)
    units = np.zeros(512, np.uint32)
    units[0] = 1  # the root, whose label must not be that of byte 0
    units[byte] = 256 << 10 | 1 << 8 | byte  # distance to the value, has one, label
    units[256 + byte] = 1 << 31 | places  # is a value and no label
    return units.nbytes.to_bytes(4, "little") + units.astype("<u4").tobytes() + b"".join(strings)


# Places are counted over all texts [N] of a batch: [2, tokens], of the first and the last one of each token.


def _characters(texts, places):
    """From places of bytes to places of characters."""
    content = tf.io.decode_raw(tf.strings.reduce_join(texts), tf.uint8)
    begins = tf.cast(content & 0xC0 != 0x80, tf.int64)
    return tf.gather(tf.cumsum(begins) - 1, places)


def _before_blanks(texts, before, places):
    """From places in texts to places in those before blanks were added; a blank has the place after it."""
    sizes = tf.strings.length(texts, "UTF8_CHAR")
    added = tf.cast(texts != before, tf.int64)
    row = tf.searchsorted(tf.cast(tf.cumsum(sizes), tf.int64), tf.reshape(places, [-1]), side="right")
    is_blank = tf.gather(tf.cast(tf.cumsum(sizes, exclusive=True), tf.int64), row) == tf.reshape(places, [-1])
    shift = tf.gather(tf.cumsum(added), row) - tf.where(is_blank, tf.gather(added, row), 0)
    return places - tf.reshape(shift, tf.shape(places))


def _before_composition(texts, composed, places):
    """From places of characters in composed texts to those in the texts.

    As the reference aligns them: a composed character has the place of the first of its parts, and so does each part
    of a decomposed one.
    """
    parts, of_composed = _parts_of_characters(texts), _parts_of_characters(composed)
    begins = tf.scatter_nd(tf.cumsum(parts, exclusive=True)[:, tf.newaxis], tf.ones_like(parts), [tf.reduce_sum(parts)])
    begun = tf.concat([[0], tf.cumsum(begins)], 0)  # characters of the texts that begin before each part
    ends = tf.cumsum(of_composed)
    before, until = tf.gather(begun, ends - of_composed), tf.gather(begun, ends)
    return tf.gather(tf.where(until > before, before, before - 1), places)


def _parts_of_characters(texts):
    """How many characters each character of texts [N] has when it is decomposed, int64 [characters]."""
    codes = tf.strings.unicode_decode(texts, "UTF-8").flat_values
    distinct, number = tf.unique(codes)
    decomposed = tf_text.normalize_utf8(tf.strings.unicode_encode(distinct[:, tf.newaxis], "UTF-8"), "NFD")
    return tf.gather(tf.cast(tf.strings.length(decomposed, "UTF8_CHAR"), tf.int64), number)
