"""Metrics that several tasks share, as GLUE and its successors compute them."""

import collections
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bert_tf.core.errors import InputError
from bert_tf.core.settings import shortened
from bert_tf.tasks.base.raw_inputs import as_column, finite_float32

# N examples, C labels, Q queries, T texts, D dimensions

_QUERIES = 1024  # compared with all texts at once, which bounds the memory


def class_metrics(truth: Sequence[str], found: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
    """Metrics of one class per text, from the names of the true classes and of those found, [N] each.

    Returns:
        {"accuracy", "macro_f1", "matthews"}, and for two classes "f1" of the second, as MRPC is scored. The macro F1
        is the mean over the classes that occur.
    """
    from sklearn import metrics

    scores = {"accuracy": float(metrics.accuracy_score(truth, found))}
    if len(labels) == 2:
        scores["f1"] = float(np.mean(metrics.f1_score(truth, found, labels=labels[1:], average=None, zero_division=0)))
    scores["macro_f1"] = float(metrics.f1_score(truth, found, average="macro", zero_division=0))
    return scores | {"matthews": float(metrics.matthews_corrcoef(truth, found))}


def commonest_share(values: Sequence[Any]) -> float:
    """The share of the commonest of N values, the accuracy of always giving it; 0 for no values."""
    counts = collections.Counter(values)
    return max(counts.values(), default=0) / max(len(values), 1)


def label_metrics(truth: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Metrics of any number of labels per text, from two tables [N, C] of 0 and 1.

    Returns:
        {"micro_f1", "macro_f1", "accuracy"}; accuracy is the share of texts with all labels right.
    """
    from sklearn import metrics

    return {
        "micro_f1": float(metrics.f1_score(truth, found, average="micro", zero_division=0)),
        "macro_f1": float(metrics.f1_score(truth, found, average="macro", zero_division=0)),
        "accuracy": float(metrics.accuracy_score(truth, found)),
    }


def correlations(truth: Any, found: Any) -> dict[str, float]:
    """{"pearson", "spearman"} of two lists of N numbers; 0 where one is constant and no correlation is defined."""
    from scipy import stats

    if np.ptp(truth) == 0 or np.ptp(found) == 0:
        return {"pearson": 0.0, "spearman": 0.0}
    return {
        "pearson": float(stats.pearsonr(truth, found).statistic),
        "spearman": float(stats.spearmanr(truth, found).statistic),
    }


def ranking_metrics(
    queries: np.ndarray,
    texts: np.ndarray,
    truth: np.ndarray,
    ks: Sequence[int] = (1, 5, 10),
    groups: np.ndarray | None = None,
) -> dict[str, float]:
    """Metrics of a search.

    Args:
        queries, texts: vectors of length 1, float32 [Q, D] and [T, D].
        truth: number of the right text of each query, int [Q].
        groups: int [T]; texts of one group are right for the same queries, and none of them is wrong for another's.
            None: each is a group of its own.

    Returns:
        {"recall@k", "mrr"}: the share of queries whose right text is among the k most similar, and the mean of
        1 / its rank. Among equally similar texts the right one counts as the last.
    """
    if groups is None:
        groups = np.arange(len(texts))
    parts = []
    for first in range(0, len(queries), _QUERIES):
        similarities = queries[first : first + _QUERIES] @ texts.T  # [queries of this part, T]
        own = truth[first : first + _QUERIES, None]  # [queries, 1]
        right = np.take_along_axis(similarities, own, 1)
        wrong = groups != groups[own]  # [queries, T]
        parts.append(1 + np.sum((similarities >= right) & wrong, 1))  # ranks from 1
    ranks = np.concatenate(parts)  # [Q]
    return {f"recall@{k}": float(np.mean(ranks <= k)) for k in ks} | {"mrr": float(np.mean(1 / ranks))}


def encode_scores(targets: Any) -> np.ndarray:
    """Numbers, or strings of numbers, [N] or [N, 1], to float32 [N].

    Raises:
        InputError: one is not a finite number; names its row.
    """
    scores = []
    for row, target in enumerate(as_column(targets)):
        try:
            score = float(target)
        except (TypeError, ValueError, OverflowError):
            score = math.nan
        if not finite_float32(score):
            raise InputError(f"Row {row} has the score {shortened(target)}, which is not a finite number.")
        scores.append(score)
    return np.array(scores, "float32")
