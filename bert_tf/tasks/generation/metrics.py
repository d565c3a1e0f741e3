"""ROUGE by `rouge-score` and BLEU by `sacrebleu`, of generated texts with one reference each."""

import dataclasses
import importlib.metadata
from collections.abc import Sequence
from typing import Any

import numpy as np

from bert_tf.tasks.generation import BLEU, METRICS, ROUGE

# N texts, K n-gram orders

_SMOOTHING = "exp"  # sacrebleu's default
_WITHOUT_WORDS = ("zh", "char")  # rouge-score's own tokenizer drops all but Latin letters and digits


@dataclasses.dataclass(frozen=True)
class TextScores:
    """Statistics of N generated texts, from which the metrics of any of them follow.

    Attributes:
        rouge: {"rouge1", "rouge2", "rougeL"}: F1 of each text, float [N], 0 to 1.
        counts: for each text its words, those of its reference, its n-grams of K orders that the reference has, and
            all its n-grams of K orders: int [N, 2 + 2 K]. BLEU is a function of their sums.
    """

    rouge: dict[str, np.ndarray]
    counts: np.ndarray

    def of(self, name: str, rows: Any = slice(None)) -> float:
        """A metric of the texts with the numbers `rows`: the mean F1, 0 to 1, or BLEU of all together, 0 to 100."""
        if name != BLEU:
            return float(self.rouge[name][rows].mean())
        from sacrebleu.metrics import BLEU as Bleu

        words, reference_words, *ngrams = self.counts[rows].sum(0).tolist()
        common, total = ngrams[: len(ngrams) // 2], ngrams[len(ngrams) // 2 :]
        return float(Bleu.compute_bleu(common, total, words, reference_words, _SMOOTHING).score)

    def all(self) -> dict[str, float]:
        """{"rouge1", "rouge2", "rougeL", "bleu"} of all texts."""
        return {name: self.of(name) for name in METRICS}


def score_texts(texts: Sequence[str], references: Sequence[str], tokenize: str, lowercase: bool) -> TextScores:
    """Scores N texts.

    Args:
        tokenize: one of `TOKENIZERS`, for BLEU, and for ROUGE too where it separates no words by blanks.
        lowercase: whether BLEU ignores case; ROUGE always does.
    """
    from rouge_score.rouge_scorer import RougeScorer
    from rouge_score.tokenizers import DefaultTokenizer

    bleu = _bleu(tokenize, lowercase)
    of_rouge = _Words(bleu.tokenizer) if tokenize in _WITHOUT_WORDS else DefaultTokenizer(use_stemmer=True)
    scorer = RougeScorer(ROUGE, tokenizer=of_rouge)
    rouge: dict[str, list[float]] = {name: [] for name in ROUGE}
    counts = []
    for text, reference in zip(texts, references, strict=True):
        found = bleu.corpus_score([text], [[reference]])
        counts.append([found.sys_len, found.ref_len, *found.counts, *found.totals])
        for name, score in scorer.score(reference, text).items():
            rouge[name].append(score.fmeasure)
    return TextScores({name: np.array(values) for name, values in rouge.items()}, np.array(counts))


def describe(tokenize: str, lowercase: bool) -> list[str]:
    """Lines that say how the metrics are computed, with sacrebleu's signature; arguments as for `score_texts`."""
    bleu = _bleu(tokenize, lowercase)
    bleu.corpus_score(["a"], [["a"]])  # the signature has the number of references
    words = "sacrebleu's words" if tokenize in _WITHOUT_WORDS else "stemmed words"
    version = importlib.metadata.version("rouge-score")
    return [f"BLEU: {bleu.get_signature()}", f"ROUGE: F1 of {words}, rouge-score {version}"]


def _bleu(tokenize: str, lowercase: bool) -> Any:
    from sacrebleu.metrics import BLEU as Bleu

    return Bleu(tokenize=tokenize, lowercase=lowercase, smooth_method=_SMOOTHING)


class _Words:
    """A tokenizer of sacrebleu in the form that rouge-score takes."""

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer

    def tokenize(self, text: str) -> list[str]:
        """The words of a text, in lower case."""
        return self._tokenizer(text.lower()).split()
