"""The tokenizer of a model in Keras's files: its kind in the config, its vocabulary file among the assets."""

import dataclasses
import hashlib
import pathlib
import weakref
from typing import Any

import numpy as np

from bert_tf.core.config import TextConfig, from_dict
from bert_tf.core.errors import InputError
from bert_tf.core.registry import resolve
from bert_tf.text.tokenizers.base import VOCABULARY_FILES, Tokenizer

# The tokenizers of this process that configs describe, so that copies of a model share the tokenizer.
_KNOWN: weakref.WeakValueDictionary[str, Tokenizer] = weakref.WeakValueDictionary()


def describe_tokenizer(tokenizer: Any) -> dict[str, Any]:
    """A tokenizer in a model's config: everything but the vocabulary, of which it has a digest."""
    if isinstance(tokenizer, MissingTokenizer):
        return tokenizer.description
    _, (kind, vocabulary, config) = tokenizer.__reduce__()
    # The tokens alone do not tell merges and settings of a file.
    state = repr((kind, list(vocabulary), config)).encode() + getattr(vocabulary, "content", b"")
    description = {
        "file": tokenizer.FILE_NAME,
        "vocab_size": tokenizer.vocab_size,
        "text": dataclasses.asdict(tokenizer.config),
        "digest": hashlib.sha256(state).hexdigest(),
    }
    _KNOWN[description["digest"]] = tokenizer
    return description


def find_tokenizer(description: dict[str, Any]) -> Any:
    """The tokenizer of this process that is described so, else a `MissingTokenizer`."""
    return _KNOWN.get(description["digest"]) or MissingTokenizer(description)


class MissingTokenizer:
    """Stands for the tokenizer of a model that Keras is loading, until the vocabulary file is read.

    It has what constructors of tasks look at; anything else raises `InputError`.
    """

    def __init__(self, description: dict[str, Any]):
        self.description = description
        self._kind = resolve(VOCABULARY_FILES[description["file"]])
        self.SPECIAL_TOKENS = self._kind.SPECIAL_TOKENS
        self.mask_id = 0
        self.starts_word = np.zeros(description["vocab_size"], bool)

    def num_added(self, num_segments: Any) -> Any:
        """As `Tokenizer.num_added`."""
        return self._kind.num_added(self._kind, num_segments)

    def read(self, folder: str) -> Tokenizer:
        """The tokenizer whose vocabulary file is in `folder`; raises `InputError` for a bad one."""
        text = from_dict(TextConfig, self.description["text"])  # JSON has lists where it has tuples
        return self._kind.from_file(pathlib.Path(folder) / self.description["file"], **vars(text))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # protocols of Python
            raise AttributeError(name)
        raise InputError(
            "This model was made from a config, which has no vocabulary. Open the .keras file with "
            "keras.saving.load_model, or a model folder with from_pretrained."
        )
