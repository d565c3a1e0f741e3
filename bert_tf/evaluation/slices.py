"""Scores of parts of the examples: of given groups, and of clusters of similar texts, the worst first."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bert_tf.core.errors import InputError
from bert_tf.evaluation.confidence_intervals import intervals
from bert_tf.tasks.base.raw_inputs import strings_in
from bert_tf.text.ideographs import IDEOGRAPHS

# N examples, K examples of a part

_LEAST = 20  # examples of a cluster that is told
_LARGEST = 5000  # words of the texts' vectors
_WORDS = 5  # that describe a cluster


@dataclasses.dataclass(frozen=True)
class Part:
    """The score of some of the examples.

    Attributes:
        name: of the group, or the words that tell a cluster from the others.
        rows: K.
        score: the metric on these.
        interval: 95 %, from resamples of these.
    """

    name: str
    rows: int
    score: float
    interval: tuple[float, float]


def score_groups(metric: Callable[[np.ndarray], float], groups: Sequence[str]) -> list[Part]:
    """The score of each group, by its name.

    Args:
        metric: of the numbers of some examples, int [K], to the score on these.
        groups: for each example, N.

    Raises:
        InputError: all examples are of one group.
    """
    names = group_names(groups)
    return [_part(name, metric, np.flatnonzero([group == name for group in groups])) for name in names]


def group_names(groups: Sequence[str]) -> list[str]:
    """The sorted names of the groups that examples have; fewer than two raise `InputError`."""
    names = sorted(set(groups))
    if len(names) < 2:
        raise InputError(f"All examples have the group {names[0]!r}. A comparison needs two groups at least.")
    return names


def worst_clusters(
    metric: Callable[[np.ndarray], float], texts: Sequence[str], count: int = 20, seed: int = 0
) -> list[Part]:
    """Clusters of texts with similar words, ordered from the lowest score; small ones are left out.

    Args:
        metric: as for `score_groups`.
        texts: N.
        count: of clusters, at most.
    """
    from sklearn.cluster import KMeans
    from sklearn.feature_extraction.text import TfidfVectorizer

    # Words of two letters and more, and single Chinese characters.
    vectorizer = TfidfVectorizer(
        token_pattern=rf"[{IDEOGRAPHS}]|\b\w\w+\b", max_features=_LARGEST, sublinear_tf=True, max_df=0.5, min_df=2
    )
    try:
        vectors = vectorizer.fit_transform(texts)  # [N, words]
    except ValueError:  # no word occurs twice
        return []
    count = min(count, max(2, len(texts) // _LEAST))
    clusters = KMeans(count, n_init=1, random_state=seed).fit_predict(vectors)  # [N]
    words = vectorizer.get_feature_names_out()
    mean = np.asarray(vectors.mean(0)).reshape(-1)
    parts = []
    for number in range(count):
        rows = np.flatnonzero(clusters == number)
        if len(rows) < _LEAST:
            continue
        typical = np.asarray(vectors[rows].mean(0)).reshape(-1) - mean
        name = " ".join(words[np.argsort(-typical, kind="stable")[:_WORDS]])
        parts.append(_part(name, metric, rows))
    return sorted(parts, key=lambda part: part.score)


def _part(name: str, metric: Callable[[np.ndarray], float], rows: np.ndarray) -> Part:
    interval = intervals({name: lambda numbers: metric(rows[numbers])}, len(rows))[name]
    return Part(name, len(rows), float(metric(rows)), interval)


def single_texts(columns: Any) -> list[str]:
    """One string for each example, of all its texts."""
    return [" ".join(strings_in(texts)) for texts in zip(*columns, strict=True)]
