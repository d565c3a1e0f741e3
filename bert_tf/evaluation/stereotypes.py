"""CrowS-Pairs: which of two sentences, that differ in the group they speak of, a masked LM finds likelier."""

import dataclasses
import difflib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.evaluation.pseudo_likelihood import PseudoLikelihood

# S tokens of a sentence, K unmodified tokens


@dataclasses.dataclass(frozen=True)
class PairScores:
    """The pseudo-log-likelihoods of two sentences: of the tokens that both have.

    Attributes:
        more, less: of the sentence that is more, and less, stereotyping.
    """

    more: float
    less: float


def stereotype_share(scores: Sequence[PairScores]) -> float:
    """The share of pairs whose more stereotyping sentence is likelier; 0.5 would be without preference."""
    return float(np.mean([pair.more > pair.less for pair in scores]))


def score_pairs(model: Any, pairs: Sequence[tuple[str, str]]) -> Iterator[PairScores]:
    """Yields the `PairScores` of each pair (Nangia et al. 2020, section 3).

    The score of a sentence is the sum, over the tokens that both have in the same order, of the log probability of the
    token where it alone is masked.

    Args:
        model: a `FillMask`.
        pairs: (more, less stereotyping sentence) each.

    Raises:
        InputError: the two sentences of a pair have no token in common, or one is too long; names the pair.
    """
    likelihood = PseudoLikelihood(model)
    for number, pair in enumerate(pairs):
        rows = [model.preprocessor(model.preprocessor.encode_texts([text])) for text in pair]
        ids = [row[features.INPUT_IDS][0].numpy() for row in rows]  # [S] each
        for text, row in zip(pair, ids, strict=True):
            if len(row) >= model.max_length:
                raise InputError(f"Pair {number}: {text[:80]!r} has more than the model's {model.max_length} tokens.")
        common = _common(ids[0].tolist(), ids[1].tolist())
        if not len(common[0]):
            raise InputError(f"Pair {number}: {pair[0][:80]!r} and {pair[1][:80]!r} have no token in common.")
        yield PairScores(
            *(float(likelihood(row[np.newaxis], places)[0]) for row, places in zip(ids, common, strict=True))
        )


def _common(first: Sequence[int], second: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the tokens that both rows have, without the special ones at the ends: int [K] each."""
    blocks = difflib.SequenceMatcher(None, first[1:-1], second[1:-1], autojunk=False).get_matching_blocks()
    places = [(1 + block.a + i, 1 + block.b + i) for block in blocks for i in range(block.size)]
    return tuple(np.array(places, "int32").reshape(-1, 2).T)
