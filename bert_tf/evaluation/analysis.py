"""A judgement of each kind of answer: classes, labels, scores, tags of words, stretches of text."""

import operator

import numpy as np

from bert_tf.evaluation.results import (
    Judgement,
    Mistake,
    class_table,
    confusion_counts,
    ratio,
    worst_first,
)
from bert_tf.tasks.base.metrics import correlations
from bert_tf.tasks.question_answering import metrics
from bert_tf.tasks.tagging import schemes

_AROUND = 80  # characters of a context shown on both sides of the right answer


def judge(model, examples):
    """The `Judgement` of a task model's answers to checked `Examples`."""
    if model.TASK == "embedding":
        return _embeddings(model, examples)
    answers = model.predict_text(examples.texts)
    kinds = {"tagging": _tags, "question_answering": _spans}
    kind = kinds.get(model.TASK) or {"multi_label_classification": _labels, "regression": _numbers}.get(
        model.problem_type, _classes
    )
    return kind(model, examples, answers, model.score_answers(answers, examples.targets))


def _classes(model, examples, answers, scores):
    truth = model.encode_targets(examples.targets)
    found = model.encode_targets([answer["label"] for answer in answers])
    size = len(model.labels)
    counts = confusion_counts(truth, found, size)
    sure = np.array([answer["probability"] for answer in answers])
    mistakes = [
        Mistake(sure[i], examples.places[i], shown(examples.texts, i), model.labels[truth[i]], _with_share(answers[i]))
        for i in np.flatnonzero(truth != found)
    ]

    def measure(name):
        return lambda rows: _of_classes(confusion_counts(truth[rows], found[rows], size))[name]

    names = ["accuracy", "macro_f1"] + ["f1"] * (size == 2)
    return Judgement(
        scores,
        {name: measure(name) for name in names},
        class_table(model.labels, counts.sum(1), counts.sum(0), counts.diagonal()),
        (model.labels, counts),
        (sure, truth == found),
        mistakes=worst_first(mistakes),
    )


def _of_classes(counts):
    """Metrics of a table of true classes by those found; the mean F1 is over the classes that occur."""
    hits, sums = counts.diagonal(), counts.sum(0) + counts.sum(1)
    f1 = 2 * hits / np.maximum(sums, 1)
    return {"accuracy": hits.sum() / counts.sum(), "macro_f1": f1[sums > 0].mean(), "f1": f1[-1]}


def _with_share(answer):
    return f"{answer['label']} ({answer['probability']:.0%})"


def _labels(model, examples, answers, scores):
    truth = model.encode_targets(examples.targets).astype(bool)  # [N, C]
    found = model.encode_targets([answer["labels"] for answer in answers]).astype(bool)
    sure = np.array([list(answer["probabilities"].values()) for answer in answers])
    both = truth & found
    wrong = (truth != found).any(1)
    mistakes = [
        Mistake(
            float(np.abs(truth[i] - sure[i]).sum()),
            examples.places[i],
            shown(examples.texts, i),
            ", ".join(np.array(model.labels)[truth[i]]) or "none",
            ", ".join(answers[i]["labels"]) or "none",
        )
        for i in np.flatnonzero(wrong)
    ]
    measures = {
        "micro_f1": lambda rows: ratio(2 * both[rows].sum(), truth[rows].sum() + found[rows].sum()),
        "accuracy": lambda rows: 1 - wrong[rows].mean(),
    }
    table = class_table(model.labels, truth.sum(0), found.sum(0), both.sum(0))
    given = np.where(found, sure, 1 - sure)
    return Judgement(
        scores, measures, table, None, (given.ravel(), (truth == found).ravel()), mistakes=worst_first(mistakes)
    )


def _numbers(model, examples, answers, scores):
    truth = model.encode_targets(examples.targets)[:, 0]
    return _pairs(truth, np.array([answer["score"] for answer in answers]), examples, scores)


def _pairs(truth, found, examples, scores):
    """Of two lists of scores; the mistakes are the rows whose ranks differ most."""
    apart = np.abs(_ranks(truth) - _ranks(found))
    mistakes = [
        Mistake(float(gap), examples.places[i], shown(examples.texts, i), f"{truth[i]:.2f}", f"{found[i]:.2f}")
        for i, gap in enumerate(apart)
    ]
    measures = {
        name: lambda rows, name=name: correlations(truth[rows], found[rows])[name] for name in ("pearson", "spearman")
    }
    return Judgement(scores, measures, pairs=(truth, found), mistakes=worst_first(mistakes))


def _ranks(values):
    from scipy import stats

    return stats.rankdata(values)


def _embeddings(model, examples):
    scores = model.score(examples.texts, examples.targets)
    if examples.targets is None:
        return Judgement(scores, {})
    found = model.similarity(*examples.texts)
    return _pairs(np.array([float(target) for target in examples.targets]), found, examples, scores)


def _tags(model, examples, answers, scores):
    spelled = [_spelled(target, model.scheme) for target in examples.targets]
    given = [{(e["type"], e["start"], e["end"]): e["score"] for e in answer["entities"]} for answer in answers]
    counts = np.array([(len(a), len(b), len(a & b.keys())) for a, b in zip(spelled, given, strict=True)])
    if model.scheme:
        measures = {
            "f1": lambda rows: ratio(2 * counts[rows, 2].sum(), counts[rows, :2].sum()),
            "precision": lambda rows: ratio(counts[rows, 2].sum(), counts[rows, 1].sum()),
            "recall": lambda rows: ratio(counts[rows, 2].sum(), counts[rows, 0].sum()),
        }
    else:
        measures = {"accuracy": lambda rows: ratio(counts[rows, 2].sum(), counts[rows, 0].sum())}
    kinds = sorted({kind for sentence in (*spelled, *given) for kind, _, _ in sentence})
    tallies = [
        [sum(kind == entity[0] for s in side for entity in s) for kind in kinds]
        for side in (spelled, given, [a & b.keys() for a, b in zip(spelled, given, strict=True)])
    ]
    flat = [(score, entity in a) for a, b in zip(spelled, given, strict=True) for entity, score in b.items()]
    return Judgement(
        scores,
        measures,
        class_table(kinds, *map(np.array, tallies)),
        _confused_words(examples.texts[0], spelled, given, kinds, model.scheme),
        tuple(map(np.array, zip(*flat, strict=True))) if flat else None,
        mistakes=worst_first(_wrong_sentences(examples, spelled, given)),
    )


def _spelled(target, scheme):
    """The entities of a sentence's tags, {(type, first word, end)}; without a scheme every word is one."""
    return set(schemes.read(target)) if scheme else {(tag, i, i + 1) for i, tag in enumerate(target)}


def _confused_words(sentences, spelled, given, kinds, scheme):
    """(types, counts of words [C, C]), "O" among the types where there is a scheme."""
    names = [schemes.OUTSIDE, *kinds] if scheme else kinds
    number = {name: i for i, name in enumerate(names)}
    rows = [
        np.concatenate([_by_word(side, len(words), number) for words, side in zip(sentences, sides, strict=True)])
        for sides in (spelled, given)
    ]
    return names, confusion_counts(*rows, len(names))


def _by_word(entities, length, number):
    row = np.zeros(length, int)
    for kind, first, end in entities:
        row[first:end] = number[kind]
    return row


def _wrong_sentences(examples, spelled, given):
    for i, (right, found) in enumerate(zip(spelled, given, strict=True)):
        wrong, missed = found.keys() - right, right - found.keys()
        if not wrong and not missed:
            continue
        words = examples.texts[0][i]

        def listed(entities, words=words):
            chosen = sorted(entities, key=operator.itemgetter(1))
            return ", ".join(f"{' '.join(words[first:end])} = {kind}" for kind, first, end in chosen) or "none"

        badness = sum(found[entity] for entity in wrong) + 0.5 * len(missed)
        yield Mistake(badness, examples.places[i], " ".join(words), listed(missed), listed(wrong))


def _spans(model, examples, answers, scores):
    metric = metrics.METRICS[model.metric]
    right = [[answer["text"] for answer in target] for target in examples.targets]
    rows = [metric([answer["answer"]], [texts]) for answer, texts in zip(answers, right, strict=True)]
    exact, f1 = (np.array([row[name] for row in rows]) for name in ("exact_match", "f1"))
    sure = np.array([answer["score"] for answer in answers])
    mistakes = [
        Mistake(
            float((1 - f1[i]) * sure[i]),
            examples.places[i],
            f"{examples.texts[0][i]} — {_excerpt(examples.texts[1][i], examples.targets[i])}",
            " / ".join(dict.fromkeys(right[i])) or "no answer",
            answers[i]["answer"] or "no answer",
        )
        for i in np.flatnonzero(f1 < 1)
    ]
    measures = {"exact_match": lambda rows: exact[rows].mean(), "f1": lambda rows: f1[rows].mean()}
    return Judgement(scores, measures, sureness=(sure, exact > 0), mistakes=worst_first(mistakes))


def _excerpt(context, answers):
    """The context around its first right answer."""
    start = answers[0]["answer_start"] if answers else 0
    end = start + (len(answers[0]["text"]) if answers else 0)
    return f"…{context[max(0, start - _AROUND) : end + _AROUND]}…"


def shown(columns, row):
    """A row's texts on one line."""
    return " — ".join(str(column[row]) for column in columns if column[row])
