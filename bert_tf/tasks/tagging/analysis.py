"""Evaluation of taggers, by entity; without a scheme every word counts as an entity of its tag's type."""

import operator
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from bert_tf.evaluation.results import (
    ErrorExample,
    EvaluationResult,
    class_table,
    confusion_counts,
    most_severe,
    ratio,
)
from bert_tf.tasks.tagging import schemes
from bert_tf.tasks.tagging.task import TextTagger

Entity = tuple[str, int, int]  # type, first word, end: the number of the word after its last

_MISSED = 0.5  # severity of an entity that was not found; that of a wrong one is its score


def analyze(model: TextTagger, examples: Any) -> EvaluationResult:
    """The `EvaluationResult` of a tagger on checked `Examples`: lists of words with their tags."""
    answers = model.predict_text(examples.texts)
    scores = model.postprocessor.compute_metrics(answers, examples.targets)
    true, predicted, correct = [], [], []
    counts = np.zeros((len(answers), 3), int)  # of entities: true, predicted, correct
    for i, (tags, answer) in enumerate(zip(examples.targets, answers, strict=True)):
        entities, found = _true_entities(tags, model.scheme), _predicted_entities(answer)
        true.append(entities)
        predicted.append(found)
        correct.append(entities & found.keys())
        counts[i] = len(entities), len(found), len(correct[i])
    if model.scheme:
        metric_functions = {
            "f1": lambda rows: ratio(2 * counts[rows, 2].sum(), counts[rows, :2].sum()),
            "precision": lambda rows: ratio(counts[rows, 2].sum(), counts[rows, 1].sum()),
            "recall": lambda rows: ratio(counts[rows, 2].sum(), counts[rows, 0].sum()),
        }
    else:
        metric_functions = {"accuracy": lambda rows: ratio(counts[rows, 2].sum(), counts[rows, 0].sum())}
    types = sorted({kind for kind, _, _ in set().union(*true, *predicted)})
    names, confusion = _word_confusion(examples.texts[0], true, predicted, types, model.scheme)
    return EvaluationResult(
        scores,
        metric_functions,
        class_table(types, _count_types(true, types), _count_types(predicted, types), _count_types(correct, types)),
        (names, confusion),
        _confidence(true, predicted),
        errors=most_severe(_errors(examples, true, predicted)),
        answers=np.repeat(names, confusion.sum(0)).tolist(),
    )


def _true_entities(tags: list[str], scheme: str | None) -> set[Entity]:
    if scheme:
        return set(schemes.read(tags))
    return {(tag, i, i + 1) for i, tag in enumerate(tags)}


def _predicted_entities(answer: dict) -> dict[Entity, float]:
    """{entity: its score}."""
    found = {}
    for entity in answer["entities"]:
        found[entity["type"], entity["start"], entity["end"]] = entity["score"]
    return found


def _count_types(sentences: Iterable[Iterable[Entity]], types: list[str]) -> np.ndarray:
    """Number of entities of each type, int [types]."""
    counts = dict.fromkeys(types, 0)
    for entities in sentences:
        for kind, _, _ in entities:
            counts[kind] += 1
    return np.array(list(counts.values()), int)


def _word_confusion(
    sentences: list[list[str]],
    true: list[set[Entity]],
    predicted: list[dict[Entity, float]],
    types: list[str],
    scheme: str | None,
) -> tuple[list[str], np.ndarray]:
    """(types, counts of words [C, C]); with a scheme "O", no entity, is the first type."""
    names = [schemes.OUTSIDE, *types] if scheme else types
    number = {name: i for i, name in enumerate(names)}
    lengths = list(map(len, sentences))
    return names, confusion_counts(
        _word_types(true, lengths, number), _word_types(predicted, lengths, number), len(names)
    )


def _word_types(sentences: Iterable[Iterable[Entity]], lengths: list[int], number: dict[str, int]) -> np.ndarray:
    """The number of the type of each word of all sentences, one after the other; 0 outside of entities."""
    rows = [np.zeros(length, int) for length in lengths]
    for row, entities in zip(rows, sentences, strict=True):
        for kind, first, end in entities:
            row[first:end] = number[kind]
    return np.concatenate(rows)


def _confidence(true: list[set[Entity]], predicted: list[dict[Entity, float]]) -> tuple[np.ndarray, np.ndarray] | None:
    """(scores of all entities found, whether each is right); None where none is found."""
    scores, correct = [], []
    for entities, found in zip(true, predicted, strict=True):
        for entity, score in found.items():
            scores.append(score)
            correct.append(entity in entities)
    return (np.array(scores), np.array(correct)) if scores else None


def _errors(examples: Any, true: list[set[Entity]], predicted: list[dict[Entity, float]]) -> Iterator[ErrorExample]:
    for i, (entities, found) in enumerate(zip(true, predicted, strict=True)):
        wrong, missed = found.keys() - entities, entities - found.keys()
        if not wrong and not missed:
            continue
        words = examples.texts[0][i]
        severity = sum(found[entity] for entity in wrong) + _MISSED * len(missed)
        yield ErrorExample(severity, examples.places[i], " ".join(words), _listed(missed, words), _listed(wrong, words))


def _listed(entities: Iterable[Entity], words: list[str]) -> str:
    """Entities in the order of the text, as "New York = LOC, Ada = PER"."""
    ordered = sorted(entities, key=operator.itemgetter(1))
    return ", ".join(f"{' '.join(words[first:end])} = {kind}" for kind, first, end in ordered) or "none"
