"""Search for the token ids of a target: greedy, beam and sampling, in TensorFlow ops.

keras-hub's samplers are not used: they know neither repeated n-grams nor a minimum length, their beams have no length
penalty and stop by other rules than transformers', and they copy the whole cache of a beam at each step.
"""

from typing import Any

from bert_tf.generation.config import GenerationConfig

__all__ = ["GenerationConfig", "generate_tokens", "search"]


def __getattr__(name: str) -> Any:
    """Imports the search on first use, because settings alone need no TensorFlow."""
    if name in ("generate_tokens", "search"):
        from bert_tf.generation import generate

        return getattr(generate, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
