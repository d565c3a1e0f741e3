"""Metrics that several tasks are scored by, as GLUE and its successors compute them."""

import math
from typing import Any

import numpy as np

from bert_tf.core.errors import InputError

_QUERIES = 1024  # compared at once with all texts


def class_metrics(truth, found, labels):
    """Metrics of one class a text, from the names of the true classes and of those found.

    Returns:
        {"accuracy", "macro_f1", "matthews"}, and for two classes "f1" of the second, as MRPC is scored. The mean F1
        is over the classes that occur.
    """
    from sklearn import metrics

    scores = {"accuracy": float(metrics.accuracy_score(truth, found))}
    if len(labels) == 2:
        scores["f1"] = float(np.mean(metrics.f1_score(truth, found, labels=labels[1:], average=None, zero_division=0)))
    scores["macro_f1"] = float(metrics.f1_score(truth, found, average="macro", zero_division=0))
    return scores | {"matthews": float(metrics.matthews_corrcoef(truth, found))}


def label_metrics(truth, found):
    """Metrics of any number of labels a text, from two tables [N, C] of 0 and 1.

    Returns:
        {"micro_f1", "macro_f1", "accuracy"}; accuracy is the share of texts with all labels right.
    """
    from sklearn import metrics

    return {
        "micro_f1": float(metrics.f1_score(truth, found, average="micro", zero_division=0)),
        "macro_f1": float(metrics.f1_score(truth, found, average="macro", zero_division=0)),
        "accuracy": float(metrics.accuracy_score(truth, found)),
    }


def correlations(truth, found):
    """{"pearson", "spearman"} of two lists of N numbers; 0 where one of them is constant and nothing correlates."""
    from scipy import stats

    if np.ptp(truth) == 0 or np.ptp(found) == 0:
        return {"pearson": 0.0, "spearman": 0.0}
    return {
        "pearson": float(stats.pearsonr(truth, found).statistic),
        "spearman": float(stats.spearmanr(truth, found).statistic),
    }


def ranking_metrics(queries, texts, truth, ks=(1, 5, 10)):
    """Metrics of a search, from vectors of length 1: queries [Q, D], texts [T, D], and each query's right text [Q].

    Returns:
        {"recall@k", "mrr"}: how often the right text is among the k most similar, and the mean of 1 / its rank. Among
        equally similar texts it counts as the last.
    """
    ranks = []
    for first in range(0, len(queries), _QUERIES):
        similarities = queries[first : first + _QUERIES] @ texts.T
        right = np.take_along_axis(similarities, truth[first : first + _QUERIES, None], 1)
        ranks.append(np.sum(similarities >= right, 1))  # from 1
    ranks = np.concatenate(ranks)
    return {f"recall@{k}": float(np.mean(ranks <= k)) for k in ks} | {"mrr": float(np.mean(1 / ranks))}


def encode_scores(targets: Any) -> np.ndarray:
    """Numbers, or strings that are numbers, to float32 [N]; others than finite ones raise `InputError` with the row."""
    scores = []
    for row, target in enumerate(targets):
        try:
            score = float(target)
        except (TypeError, ValueError):
            score = math.nan
        if not math.isfinite(score):
            raise InputError(f"Row {row} has the score {target!r}, which is no finite number.")
        scores.append(score)
    return np.array(scores, "float32")
