"""Search among vectors by cosine similarity."""

from collections.abc import Sequence

import numpy as np

# Q queries, N vectors that are searched, D dimensions


def unit(vectors: np.ndarray) -> np.ndarray:
    """The vectors [N, D] scaled to length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def most_similar(
    queries: np.ndarray, vectors: np.ndarray, top_k: int, texts: Sequence[str] | None = None
) -> list[list[dict]]:
    """For each query [Q, D] the `top_k` most similar of `vectors` [N, D], the most similar first.

    Returns:
        Q lists of min(top_k, N) dicts {"index", "score", "text"}; without "text" where no `texts` [N] are given.
    """
    vectors = unit(vectors)
    found = []
    for query in unit(queries):
        scores = vectors @ query  # [N]
        matches = []
        for i in np.argsort(-scores, kind="stable")[:top_k].tolist():
            match = {"index": i, "score": float(scores[i])}
            if texts is not None:
                match["text"] = texts[i]
            matches.append(match)
        found.append(matches)
    return found
