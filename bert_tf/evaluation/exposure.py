"""Exposure of canaries: how far a model prefers the secret that it was trained on to others (Carlini et al. 2019)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.evaluation.pseudo_likelihood import PseudoLikelihood
from bert_tf.tasks.base.example_losses import measure_losses
from bert_tf.text.canaries import SECRET, Canary, random_secret

# N secrets, K tokens of a secret, S tokens of a text

Scorer = Callable[[str, Sequence[str]], np.ndarray]  # of a template and N secrets: float [N], higher for likelier ones


def masked_lm_scorer(model: Any) -> Scorer:
    """Scores secrets by the pseudo-log-likelihood of their tokens under a `FillMask`.

    The scorer raises `InputError` if the secrets have different numbers of tokens, or are cut from the row.
    """
    likelihood = PseudoLikelihood(model)

    def score(template: str, secrets: Sequence[str]) -> np.ndarray:
        texts = [template.replace(SECRET, secret) for secret in secrets]
        rows = model.preprocessor(model.preprocessor.encode_texts(texts))[features.INPUT_IDS].numpy()  # [N, S]
        first = template.index(SECRET)
        _, starts, ends = model.tokenizer.with_offsets(texts[0])
        inside = (starts.numpy() >= first) & (ends.numpy() <= first + len(secrets[0]))
        positions = 1 + np.flatnonzero(inside)  # after [CLS]
        varying = np.flatnonzero((rows != rows[0]).any(0))
        if not set(varying) <= set(positions) or positions.max(initial=0) >= model.max_length - 1:
            raise InputError(f"The secrets for {template!r} have different numbers of tokens, or do not fit the model.")
        return likelihood(rows, positions)

    return score


def target_scorer(model: Any, target: Any) -> Scorer:
    """Scores secrets by the loss of a fine-tuned model on the text with the target that it was trained with."""

    def score(template: str, secrets: Sequence[str]) -> np.ndarray:
        texts = [template.replace(SECRET, secret) for secret in secrets]
        return -measure_losses(model, texts, [target] * len(texts)).astype("float64")

    return score


def exposure(score: float, others: np.ndarray) -> float:
    """log2(N) - log2(rank) of a score among N, itself and others that were drawn at random; from 0 to log2(N).

    Without memory it is 1.44 in the mean. Equal scores count half.
    """
    rank = 1 + np.sum(others > score) + np.sum(others == score) / 2
    return float(np.log2((len(others) + 1) / rank))


def measure_exposure(scorer: Scorer, canaries: Sequence[Canary], candidates: int = 1000, seed: int = 0) -> list[float]:
    """The exposure of each canary among so many other secrets of its length."""
    random, found = np.random.default_rng([seed, 1]), []
    for canary in canaries:
        digits = len(canary.secret.split())
        others = [random_secret(digits, random) for _ in range(candidates)]
        scores = scorer(canary.template, [canary.secret, *others])
        found.append(exposure(scores[0], scores[1:]))
    return found
