"""Exact match and F1 of answers to questions, as the official scripts of SQuAD and CMRC define them."""

import collections
import difflib
import re
import string

# The punctuation that the evaluation script of CMRC 2018 passes over, in exact match and F1 alike.
_CMRC_PUNCTUATION = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_CMRC_UNIT = re.compile(r"[\u4e00-\u9fa5]|\w+(?:[.,]\w+)*|[^\w\s]")
_HAN = re.compile(r"([\u4e00-\u9fa5])")


def squad(answers, references):
    """The scores of SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016 and 2018), each in 0 to 1.

    Args:
        answers: a text for each question, "" for no answer.
        references: the right answers to each question, [] where the text has none; one such makes it SQuAD 2.0.

    Returns:
        {"exact_match", "f1"}, the means over all questions of the best that any of their right answers gives. Where
        some questions have no answer also those means over the questions with one ("has_answer_exact_match",
        "has_answer_f1") and over those without ("no_answer_accuracy").
    """
    if not all(references):  # SQuAD 2.0: a right answer that says nothing is none
        references = [[text for text in right if normalize(text)] for right in references]
    pairs = list(zip(answers, references, strict=True))
    exact = [max(float(normalize(a) == normalize(b)) for b in right or [""]) for a, right in pairs]
    f1 = [max((word_f1(a, b) for b in right), default=float(not normalize(a))) for a, right in pairs]
    scores = {"exact_match": _mean(exact), "f1": _mean(f1)}
    if not all(references):
        scores["no_answer_accuracy"] = _mean([x for x, right in zip(exact, references, strict=True) if not right])
    if any(references) and not all(references):
        scores["has_answer_exact_match"] = _mean([x for x, right in zip(exact, references, strict=True) if right])
        scores["has_answer_f1"] = _mean([x for x, right in zip(f1, references, strict=True) if right])
    return scores


def cmrc(answers, references):
    """The scores of CMRC 2018 (Cui et al. 2019) in 0 to 1: {"exact_match", "f1"}. Every question has an answer.

    Exact match passes over punctuation. F1 is over the longest stretch that both answers have, counted in Chinese
    characters and words of other scripts. Those words are found here by letters and digits, in the official script
    by NLTK, which cuts a few ("don't") otherwise.
    """
    exact = [max(float(_plain(a) == _plain(b)) for b in right) for a, right in zip(answers, references, strict=True)]
    f1 = [max(stretch_f1(a, b) for b in right) for a, right in zip(answers, references, strict=True)]
    return {"exact_match": _mean(exact), "f1": _mean(f1)}


def normalize(text):
    """Lower case without punctuation, articles and needless spaces, as both SQuAD scripts compare answers."""
    text = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def word_f1(answer, reference):
    """F1 of the words that two answers share, after `normalize`; 0 where they share none."""
    answer, reference = normalize(answer).split(), normalize(reference).split()
    return _f1((collections.Counter(answer) & collections.Counter(reference)).total(), len(answer), len(reference))


def stretch_f1(answer, reference):
    """F1 of the longest stretch of units (Chinese characters, words) that two answers share."""
    answer, reference = _units(answer), _units(reference)
    match = difflib.SequenceMatcher(None, answer, reference, autojunk=False).find_longest_match()
    return _f1(match.size, len(answer), len(reference))


def _units(text):
    return _CMRC_UNIT.findall(_HAN.sub(r" \1 ", _plain(text)))


def _plain(text):
    return "".join(character for character in text.lower().strip() if character not in _CMRC_PUNCTUATION)


def _f1(shared, answer, reference):
    return 2 * shared / (answer + reference) if shared else 0.0


def _mean(values):
    return sum(values) / len(values) if values else 0.0


METRICS = {"squad": squad, "cmrc": cmrc}
