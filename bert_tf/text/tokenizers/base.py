"""The interface of all tokenizers: token ids of texts and back, and segments as the input rows of a model."""

import abc
import functools
import os
import pathlib
import typing
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core.config import TextConfig, from_dict
from bert_tf.core.errors import InputError
from bert_tf.core.features import INPUT_IDS, INPUT_MASK, SEGMENT_IDS
from bert_tf.core.files import read_json
from bert_tf.core.hub import resolve_folder
from bert_tf.core.registry import resolve
from bert_tf.text.tokenizers.vocabulary import Vocabulary

# Legend: V vocabulary, N texts, B rows, S row length.

# The class by the vocabulary's file name in a folder of this package; by its suffix for files of any other name.
_WORDPIECE = "bert_tf.text.tokenizers.wordpiece:WordPieceTokenizer"
_BYTE_BPE = "bert_tf.text.tokenizers.byte_bpe:BytePairTokenizer"
VOCABULARY_FILES = {
    "vocab.txt": _WORDPIECE,
    "tokenizer.json": _BYTE_BPE,
    "spiece.model": "bert_tf.text.tokenizers.unigram:UnigramTokenizer",
    "sentencepiece.bpe.model": "bert_tf.text.tokenizers.unigram:XlmRobertaTokenizer",
}


class SpecialIds(typing.NamedTuple):
    """Ids of the special tokens; None where the vocabulary lacks one."""

    pad: int | None
    unk: int | None
    cls: int | None
    sep: int | None
    mask: int | None


class SpecialTokens(typing.NamedTuple):
    """The special tokens of a tokenizer as strings."""

    pad: str
    unk: str
    cls: str
    sep: str
    mask: str


class Tokenizer(tf.Module, abc.ABC):
    """Turns texts into token ids; one object for eager code, `tf.data`, `tf.function` and SavedModels.

    `Tokenizer(vocabulary, config)` makes a `WordPieceTokenizer` of a list of tokens and the class of its file of a
    `Vocabulary`; `Tokenizer.from_file` picks the class by the file.
    A tokenizer does not change after it is made. A subclass implements the abstract methods and names its special
    tokens; where its family lays out segments in another way it sets `SEPARATORS` or overrides `num_added` and `join`.

    Args:
        vocabulary: the tokens; their places are the ids.
        config: a `TextConfig`.
    """

    SPECIAL_TOKENS: SpecialTokens
    FILE_NAME: str  # of the vocabulary in folders of this package, a key of `VOCABULARY_FILES`
    SEPARATORS = 1  # tokens between two segments
    ON_PHONES = False  # whether MediaPipe tokenizes with this vocabulary

    def __new__(cls, vocabulary: Sequence[str] = (), *args, **kwargs):
        if cls is Tokenizer:
            place = VOCABULARY_FILES[vocabulary.file_name] if isinstance(vocabulary, Vocabulary) else _WORDPIECE
            cls = resolve(place)
        return super().__new__(cls)

    def __init__(self, vocabulary: Sequence[str], config: TextConfig | None = None):
        super().__init__()
        self.config = config or TextConfig()
        self._tokens = np.array(vocabulary)

    def __reduce__(self):
        vocabulary = self.vocabulary
        hashable = vocabulary if isinstance(vocabulary, Vocabulary) else tuple(vocabulary)
        return _make, (type(self), hashable, self.config)

    @classmethod
    def from_file(cls, path: str | os.PathLike, **settings) -> "Tokenizer":
        """Opens a vocabulary file; `settings` are the fields of `TextConfig`. Raises `InputError` for a bad file.

        A folder is opened as `from_folder` does.
        """
        path = pathlib.Path(path)
        if path.is_dir():
            return cls.from_folder(path, TextConfig(**settings))
        suffixes = {pathlib.Path(name).suffix: place for name, place in reversed(VOCABULARY_FILES.items())}
        place = VOCABULARY_FILES.get(path.name) or suffixes.get(path.suffix, _WORDPIECE)
        return resolve(place).from_file(path, **settings)

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike) -> "Tokenizer":
        """Opens the tokenizer of a folder or hub name, of this package, Hugging Face or keras-hub, by its files.

        These are vocab.txt; vocab.json with merges.txt; spiece.model or sentencepiece.bpe.model; tokenizer.json. What
        is done to texts before comes from the folder's settings. Raises `InputError` where there is no tokenizer.
        """
        folder = resolve_folder(folder, weights=False)
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder. A folder with the files of a tokenizer is needed.")
        config = read_json(folder / "config.json") if (folder / "config.json").exists() else {}
        if isinstance(config, dict) and "encoder" in config:
            return cls.from_folder(folder, from_dict(TextConfig, config.get("text", {}), "text."))
        # Formats of other projects are known by a part of the package above this one.
        config, vocabulary = resolve("bert_tf.weights:read_tokenizer")(folder)
        if vocabulary is None:
            raise InputError(f"{folder} has no tokenizer. {', '.join(VOCABULARY_FILES)} or vocab.json is needed.")
        return Tokenizer(vocabulary, config)

    @classmethod
    def from_folder(cls, folder: str | os.PathLike, config: TextConfig) -> "Tokenizer":
        """Opens the vocabulary file of a folder, saved there as `FILE_NAME`. Raises `InputError` without one."""
        found = [name for name in VOCABULARY_FILES if (pathlib.Path(folder) / name).exists()]
        return cls.from_file(pathlib.Path(folder) / (found or list(VOCABULARY_FILES))[0], **vars(config))

    @abc.abstractmethod
    def save(self, path: str | pathlib.Path) -> None:
        """Writes the vocabulary file that `from_file` reads; the caller keeps `config`."""

    @abc.abstractmethod
    def __call__(self, texts: Any) -> tf.RaggedTensor:
        """Token ids of texts.

        Args:
            texts: strings [N], or one string; UTF-8, where invalid bytes are read as replacement characters (U+FFFD).

        Returns:
            int32 ragged tensor [N, (tokens)], for one string a tensor [tokens]; without special tokens of a layout.
        """

    @abc.abstractmethod
    def with_offsets(self, texts: Any) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        """Token ids of texts and the characters that each token comes from.

        Args:
            texts: strings [N], or one string, as for `__call__`.

        Returns:
            (ids, starts, ends), ragged tensors [N, (tokens)], int32, int64, int64. Starts and ends count characters
            (code points) of the text as given, `text[start:end]`; a run of invalid bytes counts as its replacement
            characters.
        """

    @abc.abstractmethod
    def readable(self, tokens: Sequence[str]) -> str:
        """Text of one sequence of tokens, without the special tokens of a layout."""

    @property
    @abc.abstractmethod
    def starts_word(self) -> np.ndarray:
        """bool [V], whether a token begins a word. The first token of a text always does."""

    @property
    @abc.abstractmethod
    def token_texts(self) -> list[str]:
        """Each token of the vocabulary as part of a word: without marks of where words begin."""

    @property
    @abc.abstractmethod
    def ordinary_ids(self) -> np.ndarray:
        """int32, ids of the tokens that are made of text: neither special nor reserved for later use."""

    @property
    @abc.abstractmethod
    def spellings(self) -> Sequence[str | bytes]:
        """The characters that each token of the vocabulary adds to a text; "" for the special tokens of a layout."""

    @abc.abstractmethod
    def max_bytes(self, num_tokens: int) -> int:
        """Bytes of text beyond which `num_tokens` tokens do not reach, so that longer texts can be cut early."""

    def decode(self, ids: Any) -> Any:
        """Readable text: one of a list of ids [tokens], a list of texts of nested lists or a (ragged) tensor [N, ...].

        Case, accents and spacing around punctuation, where tokenization drops them, do not come back.
        """
        if isinstance(ids, tf.RaggedTensor | tf.Tensor):
            ids = ids.to_list() if isinstance(ids, tf.RaggedTensor) else ids.numpy()
        if len(ids) and np.ndim(ids[0]):
            return list(map(self.decode, ids))
        return self.readable(self._tokens[np.asarray(ids, int)])

    def detokenize(self, ids: tf.RaggedTensor) -> tf.Tensor:
        """Readable texts, strings [N], of token ids, int32 ragged [N, (tokens)]: `decode`, with TensorFlow ops only."""
        with tf.device("CPU"):
            texts = tf.strings.reduce_join(tf.gather(tf.constant(list(self.spellings)), ids), -1)
            return self.tidy(tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8"))

    def tidy(self, texts: tf.Tensor) -> tf.Tensor:
        """Joined spellings, strings [N], as people write them: without blanks around."""
        return tf.strings.strip(texts)

    @property
    def vocabulary(self) -> list[str]:
        """All tokens by id."""
        return self._tokens.tolist()

    @property
    def vocab_size(self) -> int:
        """V."""
        return len(self._tokens)

    def id_of(self, token: str) -> int | None:
        """The id of a token, None where the vocabulary lacks it."""
        return self._ids.get(token)

    @property
    def special(self) -> SpecialIds:
        """The ids of the special tokens by role."""
        return SpecialIds(*map(self.id_of, self.SPECIAL_TOKENS))

    @property
    def special_ids(self) -> list[int]:
        """Ids of all special tokens that the vocabulary has."""
        return [i for i in self.special if i is not None]

    @property
    def added_ids(self) -> list[int]:
        """Ids of the special tokens that `join` adds; no text has them."""
        return [i for i in (self.cls_id, self.sep_id, self.pad_id) if i is not None]

    # None where the vocabulary has no such token.
    pad_id = property(lambda self: self.special.pad)
    unk_id = property(lambda self: self.special.unk)
    cls_id = property(lambda self: self.special.cls)
    sep_id = property(lambda self: self.special.sep)
    mask_id = property(lambda self: self.special.mask)

    def num_added(self, num_segments: Any) -> Any:
        """How many special tokens `join` adds to a row of `num_segments` segments (an int, or an int tensor).

        All but one of them are before the last segment; the other one follows it.
        """
        return 2 + self.SEPARATORS * (num_segments - 1)

    def join(
        self,
        segments: Sequence[tf.RaggedTensor],
        length: int | tf.Tensor | None = None,
        present: Sequence[tf.Tensor] | None = None,
    ) -> dict[str, tf.Tensor]:
        """Lays segments out as rows, for BERT `[CLS] first [SEP]` or `[CLS] first [SEP] second [SEP]`.

        TensorFlow ops only. The first token of every row is that of `cls_id`.

        Args:
            segments: token ids of one or two segments, each int32 ragged [B, (tokens)], short enough for a row.
            length: S; None: the longest row of the batch.
            present: for each segment, 1 for rows that have it and 0 for rows laid out without it, int [B]. A segment
                that a row does not have must be empty there. None: all rows have all segments.

        Returns:
            {"input_ids", "input_mask", "segment_ids"}, each int32 [B, S]. Segment ids are 0 for the first segment of a
            row with the special tokens around it and for padding, 1 for the second and the token after it.
        """
        ones = tf.ones_like(segments[0].row_lengths())
        present = [ones] * len(segments) if present is None else [tf.cast(flags, ones.dtype) for flags in present]
        parts = [_repeat(self.cls_id, ones), segments[0]]
        if len(segments) == 2:
            both = present[0] * present[1]  # [B]
            parts += [_repeat(self.sep_id, self.SEPARATORS * both), segments[1]]
        rows = _side_by_side([*parts, _repeat(self.sep_id, ones)])  # [B, (tokens)]
        segment_ids = tf.zeros_like(rows)
        if len(segments) == 2:
            second = both * (segments[1].row_lengths() + 1)  # [B] tokens with the number 1
            counts = tf.stack([rows.row_lengths() - second, second], axis=1)  # [B, 2]
            numbers = tf.repeat(tf.tile([0, 1], tf.shape(both)), tf.reshape(counts, [-1]))
            segment_ids = rows.with_values(numbers)
        shape = [None, length]
        return {
            INPUT_IDS: rows.to_tensor(self.pad_id, shape=shape),
            INPUT_MASK: tf.ones_like(rows).to_tensor(shape=shape),
            SEGMENT_IDS: segment_ids.to_tensor(shape=shape),
        }

    @functools.cached_property  # not kept as a tracked attribute, which TensorFlow would wrap
    def _ids(self):
        return {token: i for i, token in enumerate(self.vocabulary)}


def as_strings(texts: Any) -> tf.Tensor:
    """Texts as a string tensor of rank 0 or 1; `ValueError` for another rank."""
    texts = tf.convert_to_tensor(texts, tf.string)
    if texts.shape.rank is not None and texts.shape.rank > 1:
        raise ValueError(f"Received: texts of shape {texts.shape}. Texts are one string or a list of strings.")
    return texts


def merge_tokens(parts: tf.RaggedTensor, tokens: tf.RaggedTensor) -> tf.RaggedTensor:
    """Tokens of texts [N, (tokens)], from parts of texts [N, (parts)] and the tokens of all parts [P, (tokens)]."""
    # `merge_dims` would add about a hundred checking ops, which every start of a `tf.data` iterator pays for.
    splits = tf.gather(tokens.row_splits, parts.row_splits)
    return tf.RaggedTensor.from_row_splits(tokens.values, splits, validate=False)


@functools.lru_cache(4)
def _make(kind, vocabulary, config):
    """Makes an unpickled tokenizer; a process that receives one with each item of work makes it only once."""
    return kind(vocabulary, config)


def _repeat(token_id, counts):
    """Rows of one token, as many in each as `counts` [B] says."""
    return tf.RaggedTensor.from_row_lengths(tf.fill([tf.reduce_sum(counts)], token_id), counts, validate=False)


def _side_by_side(parts):
    """The tokens of all parts of a row, one part after the other: [B, (tokens)] from several [B, (tokens)]."""
    # `tf.concat` would add some 150 ops and 20 branches that check what is known here.
    lengths = tf.stack([part.row_lengths() for part in parts], 1)  # [B, parts]
    sizes = tf.stack([tf.size(part.values, lengths.dtype) for part in parts])
    starts = tf.stack([part.row_starts() for part in parts], 1) + tf.cumsum(sizes, exclusive=True)  # in all values
    starts, ends = (tf.reshape(places, [-1]) for places in (starts, starts + lengths))
    values = tf.gather(tf.concat([part.values for part in parts], 0), tf.ragged.range(starts, ends).values)
    return tf.RaggedTensor.from_row_lengths(values, tf.reduce_sum(lengths, 1), validate=False)
