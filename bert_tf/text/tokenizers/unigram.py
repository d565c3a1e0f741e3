"""Unigram tokenizers (ALBERT, XLM-R) over the model files of SentencePiece, as tensorflow-text's ops."""

import functools
import hashlib
import os
import pathlib
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text
from tensorflow_text.python.ops import sentencepiece_tokenizer

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import InputError
from bert_tf.core.files import atomic_file
from bert_tf.text.tokenizers import sentencepiece_model, unicode_tables
from bert_tf.text.tokenizers.base import SpecialTokens, Tokenizer, as_strings
from bert_tf.text.tokenizers.normalizer_model import to_model
from bert_tf.text.tokenizers.unigram_ties import Ties
from bert_tf.text.tokenizers.vocabulary import SPELLINGS, Vocabulary
from bert_tf.text.tokenizers.whole_tokens import WholeTokens

# Legend: N texts, T tokens of all texts.

SPACE = "\u2581"  # stands for the blank before a word
_MAX_CHAR_BYTES = 4
_UNKNOWN_PENALTY = 10.0  # of an unknown character, below the least likely piece; SentencePiece's constant
_REMOVED = "\x01"  # dropped by every normalization
_SPACES = [c for c in range(0x3001) if chr(c).isspace()]


class UnigramTokenizer(Tokenizer):
    """The tokenizer of ALBERT: the ids of the pieces in a SentencePiece model, which normalizes texts itself.

    Where `lower_case` or `strip_accents` of the config is on, texts are changed before as ALBERT's code does: two
    quotes become one sign, and characters are decomposed (NFKD), lose their accents and are lower-cased, each for
    itself. Without a config nothing is changed.

    Args:
        vocabulary: a `Vocabulary` of the content of a spiece.model. `InputError` where it is none.
        config: a `TextConfig`; None: texts stay as they are.
    """

    FILE_NAME = sentencepiece_model.NAME

    def __init__(self, vocabulary: Vocabulary, config: TextConfig | None = None):
        super().__init__(vocabulary, config or TextConfig(lower_case=False))
        self._vocabulary = vocabulary
        self.SEPARATORS = 2 if self.SPECIAL_TOKENS.cls == SPELLINGS[2][0] else 1
        with tf.init_scope(), tf.device("CPU"):
            try:
                self._pieces = _sentencepiece(vocabulary.content, tf.int32)
                self._strings = _sentencepiece(vocabulary.content, tf.string)
            except (tf.errors.OpError, ValueError) as error:
                raise InputError(f"The SentencePiece model cannot be used: {str(error).splitlines()[0]}") from None

    @classmethod
    def from_file(cls, path: str | os.PathLike, **settings) -> "UnigramTokenizer":
        """Opens a model file; `settings` are the fields of `TextConfig`, where `lower_case` is off by default."""
        return cls(
            sentencepiece_model.read_model(pathlib.Path(path), cls.FILE_NAME),
            TextConfig(**{"lower_case": False} | settings),
        )

    def _ids_of(self, pieces: tf.Tensor) -> tf.Tensor:
        """Ids of numbers of pieces, int32 [T]."""
        return pieces

    def save(self, path: str | os.PathLike) -> None:
        """Writes the model file; the caller keeps `config`."""
        with atomic_file(path) as file:
            file.write_bytes(self._vocabulary.content)

    @functools.cached_property  # not tracked by TensorFlow, which would wrap it
    def SPECIAL_TOKENS(self) -> SpecialTokens:  # noqa: N802, a constant of other tokenizers
        """The special tokens: of the usual spellings of each role the first that the model has."""
        known = set(self._vocabulary)
        return SpecialTokens(*(next((name for name in names if name in known), names[0]) for names in SPELLINGS))

    @property
    def vocabulary(self) -> Vocabulary:
        return self._vocabulary

    @functools.cached_property
    def starts_word(self) -> np.ndarray:
        return np.char.startswith(self._tokens, SPACE) | np.isin(self._tokens, self.SPECIAL_TOKENS)

    @property
    def token_texts(self) -> list[str]:
        return [token.removeprefix(SPACE) for token in self.vocabulary]

    @functools.cached_property
    def ordinary_ids(self) -> np.ndarray:
        pieces = sentencepiece_model.model_class().FromString(self._vocabulary.content).pieces
        normal = [piece.piece.decode() for piece in pieces if piece.type == sentencepiece_model.NORMAL]
        is_ordinary = np.isin(self._tokens, normal) & ~np.isin(self._tokens, self.SPECIAL_TOKENS)
        return np.flatnonzero(is_ordinary).astype(np.int32)

    def max_bytes(self, num_tokens: int) -> int:
        """As `Tokenizer`'s, for texts without long runs of blanks or of characters that the model does not know."""
        return num_tokens * _MAX_CHAR_BYTES * (self.config.max_word_chars + 1)

    def readable(self, tokens: Sequence[str]) -> str:
        return "".join(map(self._spelling, tokens)).strip()

    @property
    def spellings(self) -> list[str]:
        return list(map(self._spelling, self.vocabulary))

    def _spelling(self, token: str) -> str:
        special = self.SPECIAL_TOKENS
        return "" if token in (special.pad, special.cls, special.sep) else token.replace(SPACE, " ")

    def __call__(self, texts: Any) -> tf.RaggedTensor:
        texts = as_strings(texts)
        if texts.shape.rank == 0:
            return self(texts[tf.newaxis]).values
        with tf.device("CPU"):
            return self._whole.ids(texts, self._tokenize) if self._whole else self._tokenize(texts)

    def with_offsets(self, texts: Any) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        """As `Tokenizer`'s, without the blanks before a word."""
        texts = as_strings(texts)
        if texts.shape.rank == 0:
            return tuple(x.values for x in self.with_offsets(texts[tf.newaxis]))
        with tf.device("CPU"):
            texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
            if self._whole:
                return self._whole.with_offsets(texts, self._tokenize_with_offsets)
            return self._tokenize_with_offsets(texts)

    @functools.cached_property
    def _whole(self):
        """Finds tokens that are kept whole; None without any."""
        special = self.SPECIAL_TOKENS if self.config.special_tokens else ()
        exact = {token: self.id_of(token) for token in (*special, *self.config.added_tokens) if token in self._ids}
        any_case = {token: self.id_of(token) for token in self.config.added_any_case if token in self._ids}
        return WholeTokens(exact, any_case) if exact or any_case else None

    def _tokenize(self, texts):
        if self._normalizer:
            texts = self._normalizer.normalize(_one_sign_for_two_quotes(texts))
        pieces = self._pieces.tokenize(texts).with_row_splits_dtype(tf.int64)
        nowhere = tf.zeros([tf.size(pieces.values), 2], tf.int64)
        pieces, _ = self._ties.settle(pieces, lambda: self._lengths(texts), nowhere)
        return pieces.with_values(self._ids_of(pieces.values))

    def _lengths(self, texts):
        """Characters of the pieces of texts [N], int32 [T]."""
        return tf.strings.length(self._strings.tokenize(texts).values, "UTF8_CHAR")

    @functools.cached_property
    def _ties(self):
        pieces = sentencepiece_model.model_class().FromString(self._vocabulary.content).pieces
        normal = {i: piece.piece.decode() for i, piece in enumerate(pieces) if piece.type == sentencepiece_model.NORMAL}
        scores = np.array([piece.score for piece in pieces], np.float32)
        unknown = next(i for i, piece in enumerate(pieces) if piece.type == sentencepiece_model.UNKNOWN)
        scores[unknown] = scores[list(normal)].min(initial=0) - _UNKNOWN_PENALTY
        return Ties(normal, scores, unknown)

    def _tokenize_with_offsets(self, texts):
        read = texts
        if self._normalizer:
            read, source = self._normalizer.normalize_with_offsets(_one_sign_for_two_quotes(texts))
        pieces, starts, ends = self._pieces.tokenize_with_offsets(read)
        pieces = pieces.with_row_splits_dtype(tf.int64)
        row = pieces.value_rowids()
        starts, ends = (tf.cast(place.values, tf.int64) for place in (starts, ends))  # bytes of `read`
        if self._normalizer:
            first = tf.gather(source.row_splits, row)
            starts, ends = (tf.gather(source.values, first + place) for place in (starts, ends))
        places = tf.stack(_characters(texts, row, starts, ends), 1)
        pieces, places = self._ties.settle(pieces, lambda: self._lengths(read), places)
        starts, ends = tf.unstack(places, axis=1)
        ids = pieces.with_values(self._ids_of(pieces.values))
        return ids, ids.with_values(starts), ids.with_values(ends)

    @functools.cached_property
    def _normalizer(self):
        """Changes texts as the config says; None where it says nothing."""
        lower_case, strip_accents = self.config.lower_case, self.config.strips_accents
        if not lower_case and not strip_accents:
            return None
        with tf.init_scope():  # a constant of the process, whichever graph asks for it first
            model = tf.constant(np.frombuffer(_character_map(lower_case, strip_accents), np.uint8))
            return tf_text.FastBertNormalizer(model_buffer=model)


class XlmRobertaTokenizer(UnigramTokenizer):
    """The tokenizer of XLM-R: fairseq's special tokens take the first ids, so that pieces follow one number later."""

    FILE_NAME = sentencepiece_model.XLM_ROBERTA_NAME

    def _ids_of(self, pieces):
        return tf.where(pieces == 0, self.unk_id, pieces + 1)


class _NamedModel(sentencepiece_tokenizer._SentencepieceModelResource):
    """The model of an op, kept under a name that follows from its content.

    That of tensorflow-text has no name and belongs to a kernel; TensorFlow drops all kernels when a seed is set.
    """

    def _create_resource(self):
        name = f"sentencepiece_{hashlib.sha256(self._model).hexdigest()}"
        return sentencepiece_tokenizer.gen_sentencepiece_tokenizer.sentencepiece_op(self._model, shared_name=name)


def _sentencepiece(content, out_type):
    tokenizer = tf_text.SentencepieceTokenizer(content, out_type)
    tokenizer._model_resource = _NamedModel(content, None)
    return tokenizer


@functools.cache
def _character_map(lower_case, strip_accents):
    """The model of an op that replaces each character by its decomposed, stripped, lower-cased form."""
    strings = {_REMOVED: ""}
    for code in unicode_tables.CODES.tolist():
        if 0xD800 <= code <= 0xDFFF:
            continue
        character = changed = chr(code)
        if strip_accents:
            parts = unicodedata.normalize("NFKD", character)
            changed = "".join(c for c in parts if unicodedata.category(c) != "Mn")
        changed = "".join(map(str.lower, changed)) if lower_case else changed
        if changed != character:
            strings[character] = changed
    return to_model(strings)


def _one_sign_for_two_quotes(texts):
    return tf.strings.regex_replace(texts, "``|''", f'"{_REMOVED}')


def _characters(texts, row, starts, ends):
    """Starts and ends [T] as characters of their texts [N], from bytes; blanks at the start are left out."""
    codes = tf.strings.unicode_decode(texts, "UTF-8")  # [N, (characters)]
    content = tf.io.decode_raw(tf.strings.reduce_join(texts), tf.uint8)
    begun = tf.concat([[0], tf.cumsum(tf.cast(content & 0xC0 != 0x80, tf.int64))], 0)  # before each byte of all texts
    first_byte = tf.gather(tf.cumsum(tf.cast(tf.strings.length(texts), tf.int64), exclusive=True), row)
    starts, ends = (tf.gather(begun, first_byte + place) for place in (starts, ends))
    is_space = tf.reduce_any(codes.values[:, tf.newaxis] == tf.constant(_SPACES, tf.int32), 1)
    visible = tf.concat([tf.where(~is_space)[:, 0], [tf.size(is_space, tf.int64)]], 0)
    starts = tf.minimum(tf.gather(visible, tf.searchsorted(visible, starts)), ends)
    first = tf.gather(tf.cast(codes.row_splits, tf.int64), row)
    return starts - first, ends - first
