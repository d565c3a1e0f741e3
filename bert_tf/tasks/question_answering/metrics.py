"""Exact match and F1 of answers to questions, as the official scripts of SQuAD and CMRC define them."""

import collections
import difflib
import re
import string
from collections.abc import Callable, Sequence

# N questions

# The punctuation that the evaluation script of CMRC 2018 ignores, in exact match and F1 alike.
_CMRC_PUNCTUATION = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_CMRC_UNIT = re.compile(r"[\u4e00-\u9fa5]|\w+(?:[.,]\w+)*|[^\w\s]")
_HAN = re.compile(r"([\u4e00-\u9fa5])")


def squad(answers: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """The scores of SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016 and 2018), each in 0 to 1.

    Args:
        answers: one text per question, [N]; "" for no answer.
        references: the right answers to each question, [N] lists. An empty list marks a question without an answer;
            one such question makes the data set SQuAD 2.0.

    Returns:
        {"exact_match", "f1"}, the means over all questions of the best match with any right answer. Where some
        questions have no answer also the means over the questions with one ("has_answer_exact_match",
        "has_answer_f1") and over those without ("no_answer_accuracy").
    """
    if not all(references):
        # SQuAD 2.0's script drops right answers of which normalization leaves nothing.
        references = [list(filter(normalize, right)) for right in references]
    exact, f1 = [], []
    for answer, right in zip(answers, references, strict=True):
        exact.append(_best(exact_match, answer, right or [""]))
        if right:
            f1.append(_best(word_f1, answer, right))
        else:  # no answer is right, and nothing else
            f1.append(float(not normalize(answer)))
    scores = {"exact_match": _mean(exact), "f1": _mean(f1)}
    answerable = list(map(bool, references))
    if not all(answerable):
        scores["no_answer_accuracy"] = _mean(_select(exact, answerable, wanted=False))
        if any(answerable):
            scores["has_answer_exact_match"] = _mean(_select(exact, answerable))
            scores["has_answer_f1"] = _mean(_select(f1, answerable))
    return scores


def cmrc(answers: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """The scores of CMRC 2018 (Cui et al. 2019) in 0 to 1: {"exact_match", "f1"}; every question has an answer.

    Exact match ignores punctuation. F1 is over the longest run of units that both answers share; the units are
    Chinese characters and the words of other scripts. Words are found by letters and digits here, by NLTK in the
    official script, which splits a few ("don't") differently.

    Args:
        answers: one text per question, [N].
        references: the right answers to each question, [N] lists of at least one.
    """
    exact, f1 = [], []
    for answer, right in zip(answers, references, strict=True):
        exact.append(_best(_plain_match, answer, right))
        f1.append(_best(stretch_f1, answer, right))
    return {"exact_match": _mean(exact), "f1": _mean(f1)}


def normalize(text: str) -> str:
    """Lower case without punctuation, articles and extra spaces, as both SQuAD scripts compare answers."""
    text = text.lower().translate(str.maketrans("", "", string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def exact_match(answer: str, reference: str) -> float:
    """1.0 where two answers are equal after `normalize`, else 0.0."""
    return float(normalize(answer) == normalize(reference))


def word_f1(answer: str, reference: str) -> float:
    """F1 of the words that two answers share, after `normalize`; 0 where they share none."""
    answer_words, reference_words = normalize(answer).split(), normalize(reference).split()
    shared = collections.Counter(answer_words) & collections.Counter(reference_words)
    return _f1(shared.total(), len(answer_words), len(reference_words))


def stretch_f1(answer: str, reference: str) -> float:
    """F1 of the longest run of units (Chinese characters, words) that two answers share."""
    answer_units, reference_units = _units(answer), _units(reference)
    match = difflib.SequenceMatcher(None, answer_units, reference_units, autojunk=False).find_longest_match()
    return _f1(match.size, len(answer_units), len(reference_units))


def _best(metric: Callable[[str, str], float], answer: str, references: Sequence[str]) -> float:
    """The highest value of the metric over all right answers."""
    return max(metric(answer, reference) for reference in references)


def _units(text: str) -> list[str]:
    return _CMRC_UNIT.findall(_HAN.sub(r" \1 ", _plain(text)))


def _plain(text: str) -> str:
    return "".join(character for character in text.lower().strip() if character not in _CMRC_PUNCTUATION)


def _plain_match(answer: str, reference: str) -> float:
    return float(_plain(answer) == _plain(reference))


def _f1(shared: int, answer: int, reference: int) -> float:
    """F1 of counts: twice the shared units by all units of both."""
    return 2 * shared / (answer + reference) if shared else 0.0


def _select(values: list[float], flags: list[bool], wanted: bool = True) -> list[float]:
    """The values whose flag is `wanted`."""
    return [value for value, flag in zip(values, flags, strict=True) if flag == wanted]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


METRICS = {"squad": squad, "cmrc": cmrc}
