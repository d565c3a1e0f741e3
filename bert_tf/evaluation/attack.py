"""A word-substitution attack: the fewest words that change an answer, within a budget of queries, as in TextFooler."""

import dataclasses
import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bert_tf.core import features
from bert_tf.evaluation.attribution import Word, find_places, find_words
from bert_tf.evaluation.audit_config import AuditConfig
from bert_tf.evaluation.confidence_intervals import intervals
from bert_tf.evaluation.substitutes import Substitutes

# N examples, W words, K queries, C classes

_TOGETHER = 32  # examples that are attacked at once, so that their queries fill batches
Texts = tuple[str, ...]
_Search = Generator[list[Texts], np.ndarray, "Attempt"]


@dataclasses.dataclass(frozen=True)
class Attempt:
    """The attack on one example.

    Attributes:
        texts: of the example, as they were.
        words: {"text": number of the text, "start", "end": characters in it, "word", "substitute"} of each change.
        target: the right answer.
        before, after: the model's answers; `after` to the changed texts.
        queries: answers that were asked for.
        length: number of its words.
    """

    texts: Texts
    words: list[dict[str, Any]]
    target: str
    before: str
    after: str
    queries: int
    length: int

    @property
    def was_right(self) -> bool:
        """Whether the model answered the example as it was."""
        return self.before == self.target

    @property
    def holds(self) -> bool:
        """Whether the model answered it in spite of the attack."""
        return self.after == self.target


@dataclasses.dataclass(frozen=True)
class Attack:
    """Results of an attack on N examples.

    Attributes:
        rows: N.
        accuracy, attacked: shares of them answered right, before and under the attack, with 95 % intervals.
        queries: mean number of answers asked for, for an example that was answered right.
        changed: mean share of the words that were substituted where the answer changed; None where none did.
        budget: most queries for an example.
        substituted: largest share of its words that may be substituted.
        masked_lm: folder of the masked LM, None without.
        examples: with another answer, those of the fewest substitutes first.
    """

    rows: int
    accuracy: tuple[float, float, float]
    attacked: tuple[float, float, float]
    queries: float
    changed: float | None
    budget: int
    substituted: float
    masked_lm: str | None
    examples: list[Attempt]


def can_attack(model: Any, examples: Any, plain: Any) -> bool:
    """Whether a model chooses one of its classes for examples of texts, so that the attack is for it."""
    return plain.probabilities is not None and all(isinstance(column[0], str) for column in examples.texts)


def attack(
    model: Any, examples: Any, plain: Any, config: AuditConfig, substitutes: Substitutes, seed: int = 0
) -> Iterator[Attempt]:
    """Yields the `Attempt` on each of `config.attacked_texts` examples, drawn at random, as they end.

    Words are tried in the order of how far the probability of the right class falls without them (Jin et al. 2020,
    algorithm 1); of a word's substitutes the nearest that changes the answer is taken, else the one that lowers that
    probability most. Examples that are answered wrong already are not attacked.

    Args:
        model: a task model for which `can_attack` is true.
        examples: checked `Examples` with targets.
        plain: the `EvaluationResult` of the model on them.
        substitutes: of the model's words.
        seed: of the draw.
    """
    probabilities, right = plain.probabilities  # [N, C], [N]
    chosen = np.random.default_rng(seed).permutation(len(examples))[: config.attacked_texts]
    waiting = []
    for number in chosen:
        texts = tuple(column[number] for column in examples.texts)
        waiting.append(_search(model, texts, int(right[number]), probabilities[number], config, substitutes))
    running: list[tuple[_Search, list[Texts]]] = []
    while waiting or running:
        while waiting and len(running) < _TOGETHER:
            search = waiting.pop(0)
            try:
                running.append((search, next(search)))
            except StopIteration as end:
                yield end.value
        answers = _answers(model, [row for _, rows in running for row in rows])  # [K, C]
        still = []
        for search, rows in running:
            own, answers = answers[: len(rows)], answers[len(rows) :]
            try:
                still.append((search, search.send(own)))
            except StopIteration as end:
                yield end.value
        running = still


def summarize(attempts: Sequence[Attempt], config: AuditConfig) -> Attack:
    """The `Attack` of N attempts."""
    before = np.array([attempt.was_right for attempt in attempts])
    after = np.array([attempt.holds for attempt in attempts])
    fooled = [attempt for attempt in attempts if attempt.was_right and not attempt.holds]
    bounds = intervals({"before": lambda i: before[i].mean(), "after": lambda i: after[i].mean()}, len(attempts))
    shares = [len(attempt.words) / attempt.length for attempt in fooled]
    return Attack(
        rows=len(attempts),
        accuracy=(float(before.mean()), *bounds["before"]),
        attacked=(float(after.mean()), *bounds["after"]),
        queries=float(np.mean([attempt.queries for attempt in attempts if attempt.was_right] or [0])),
        changed=float(np.mean(shares)) if shares else None,
        budget=config.queries,
        substituted=config.substituted,
        masked_lm=config.masked_lm,
        examples=sorted(fooled, key=lambda attempt: len(attempt.words)),
    )


def _answers(model: Any, rows: Sequence[Texts]) -> np.ndarray:
    """The probabilities of the classes for K rows of texts, float [K, C]."""
    if not rows:
        return np.zeros((0, 0))
    columns = tuple(map(list, zip(*rows, strict=True)))
    return np.array([list(answer["probabilities"].values()) for answer in model.predict_text(columns)])


def _search(
    model: Any, texts: Texts, right: int, known: np.ndarray, config: AuditConfig, substitutes: Substitutes
) -> _Search:
    """Attacks one example: yields rows of texts, and is sent their probabilities [K, C]; returns the `Attempt`.

    `known` are the probabilities [C] of the texts as they are.
    """
    words = _words(model, texts)
    changes: dict[int, str] = {}
    asked, answer, best = 0, int(known.argmax()), known[right]
    if answer == right and words:
        rows = [_changed(texts, words, {number: ""}) for number in range(len(words))][: config.queries]
        without = yield rows
        asked = len(rows)
        found = _substitutes(texts, words, substitutes)
        most = max(1, math.floor(config.substituted * len(words)))
        for number in np.argsort(without[:, right], kind="stable").tolist():
            candidates = found[number][: config.queries - asked]
            if len(changes) == most or answer != right:
                break
            if not candidates:
                continue
            rows = [_changed(texts, words, changes | {number: candidate}) for candidate in candidates]
            answers = yield rows
            asked += len(rows)
            other = np.flatnonzero(answers.argmax(1) != right)
            pick = int(other[0]) if len(other) else int(answers[:, right].argmin())
            if len(other) or answers[pick, right] < best:
                changes[number] = candidates[pick]
                answer, best = int(answers[pick].argmax()), answers[pick, right]
    return Attempt(
        texts,
        [_described(texts, words[number], changes[number]) for number in sorted(changes)],
        model.labels[right],
        model.labels[int(known.argmax())],
        model.labels[answer],
        asked,
        len(words),
    )


def _words(model: Any, texts: Texts) -> list[Word]:
    """The words of the texts that the model reads in one row."""
    encoded = model.preprocessor.encode_texts(tuple([text] for text in texts))
    ids = model.preprocessor(encoded)[features.INPUT_IDS][0].numpy()  # [S]
    return find_words(model.tokenizer, find_places(model.tokenizer, texts), ids)


def _substitutes(texts: Texts, words: Sequence[Word], substitutes: Substitutes) -> list[list[str]]:
    """The substitutes of each word."""
    found: list[list[str]] = []
    for column, text in enumerate(texts):  # words are in the order of their texts
        found += substitutes(text, [(word.start, word.end) for word in words if word.column == column])
    return found


def _changed(texts: Texts, words: Sequence[Word], changes: Mapping[int, str]) -> Texts:
    """The texts with some words, by their numbers, replaced."""
    changed = list(texts)
    for number in sorted(changes, reverse=True):  # from the end, so that the other places stay
        word = words[number]
        text = changed[word.column]
        changed[word.column] = text[: word.start] + changes[number] + text[word.end :]
    return tuple(changed)


def _described(texts: Texts, word: Word, substitute: str) -> dict[str, Any]:
    place = {"text": word.column, "start": word.start, "end": word.end}
    return place | {"word": texts[word.column][word.start : word.end], "substitute": substitute}
