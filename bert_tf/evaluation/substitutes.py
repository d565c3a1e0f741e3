"""Words that may stand in the place of a word: its neighbours among token embeddings, which a masked LM expects."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.evaluation.pseudo_likelihood import log_probabilities
from bert_tf.text.counterfactuals import cased
from bert_tf.text.function_words import FUNCTION_WORDS
from bert_tf.text.ideographs import IDEOGRAPHS
from bert_tf.text.opposites import are_opposites

# V vocabulary, E embedding, W words, K neighbours

NEIGHBOURS = 15  # of a word, the nearest
LEAST_COSINE = 0.35  # of a neighbour
EXPECTED = 200  # likeliest tokens of a masked LM in the place of a word


class Substitutes:
    """Finds substitutes for words of a model's texts.

    A substitute is a whole token of the model's vocabulary, among the `NEIGHBOURS` nearest of the word by the cosine of
    token embeddings (of a word of several tokens: of their mean), from `LEAST_COSINE` on. With a masked LM it is also
    among the `EXPECTED` likeliest tokens in the word's place, as in BERT-Attack (Li et al. 2020). Function words and
    negations neither have nor are substitutes, and opposites (`are_opposites`) are not each other's: these change the
    meaning. Nor is a token of the word itself.

    Args:
        model: a task model.
        masked_lm: a `FillMask`, of any vocabulary, or None.
    """

    def __init__(self, model: Any, masked_lm: Any = None):
        self._tokenizer, self._masked_lm = model.tokenizer, masked_lm
        self._texts = self._tokenizer.token_texts
        whole = self._tokenizer.starts_word
        ids = [i for i in self._tokenizer.ordinary_ids if whole[i] and _is_word(self._texts[i])]
        self._words = [self._texts[i] for i in ids]
        table = model.encoder.token_embedding(tf.range(self._tokenizer.vocab_size))
        self._table = _unit(tf.cast(table, tf.float32).numpy())  # [V, E]
        self._candidates = self._table[np.array(ids, int)]
        self._graph = masked_lm and log_probabilities(masked_lm)

    def __call__(self, text: str, places: Sequence[tuple[int, int]]) -> list[list[str]]:
        """Substitutes for each of W words `text[start:end]`, the nearest first."""
        words = [text[start:end] for start, end in places]
        found = [self._neighbours(word) for word in words]
        if self._masked_lm is None or not any(found):
            return found
        expected = self._expected([f"{text[:start]}{self._mask}{text[end:]}" for start, end in places])
        return [[word for word in near if word.lower() in likely] for near, likely in zip(found, expected, strict=True)]

    def _neighbours(self, word: str) -> list[str]:
        """The nearest words of the vocabulary in the same script, spelled with the case of `word`."""
        if not _is_word(word):
            return []
        ids = self._tokenizer([word]).values.numpy()
        vector = self._table[ids].mean(0)  # [E]
        vector /= max(np.linalg.norm(vector), 1e-9)
        cosines = self._candidates @ vector
        avoided = {word.lower(), *(self._texts[i].lower() for i in ids)}  # its parts mean nothing
        found: list[str] = []
        for number in np.argsort(-cosines, kind="stable"):
            other = self._words[number]
            if cosines[number] < LEAST_COSINE:
                break
            if other.lower() in avoided or are_opposites(word.lower(), other.lower()):
                continue
            if _script(other) == _script(word):
                spelled = cased(other, word)
                if spelled not in found:
                    found.append(spelled)
            if len(found) == NEIGHBOURS:
                break
        return found

    @property
    def _mask(self) -> str:
        return self._masked_lm.tokenizer.SPECIAL_TOKENS.mask

    def _expected(self, texts: Sequence[str]) -> list[set[str]]:
        """For W texts with a mask each: the likeliest words in its place; none for a mask beyond the row."""
        model = self._masked_lm
        inputs = model.preprocessor(model.preprocessor.encode_texts(list(texts)))
        if not inputs[features.MASKED_LM_POSITIONS].shape[1]:
            return [set() for _ in texts]
        logs = self._graph({name: inputs[name] for name in model.INPUTS})  # [W, V]
        spelled, starts = model.tokenizer.token_texts, model.tokenizer.starts_word
        found = []
        best = tf.math.top_k(logs, min(EXPECTED, logs.shape[1])).indices.numpy()  # [W, EXPECTED]
        for ids, position in zip(best, inputs[features.MASKED_LM_POSITIONS].numpy()[:, 0], strict=True):
            found.append({spelled[i].lower() for i in ids if position and starts[i]})
        return found


def _is_word(text: str) -> bool:
    """Whether a text is one word with a meaning of its own: letters, and two of them unless it is Chinese."""
    return text.isalpha() and (len(text) > 1 or _script(text) == "chinese") and text.lower() not in FUNCTION_WORDS


def _script(word: str) -> str:
    if re.fullmatch(f"[{IDEOGRAPHS}]*", word):
        return "chinese"
    return "latin" if word.isascii() else "other"


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
