"""The inputs of an encoder under one set of names, with those that may be left out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import backend, ops

from bert_tf.core import features
from bert_tf.core.errors import InputError

# B batch, S sequence

HUGGINGFACE_NAMES = {"attention_mask": features.INPUT_MASK, "token_type_ids": features.SEGMENT_IDS}


def complete_inputs(inputs: Any, pad_id: int) -> dict[str, Any]:
    """The inputs of a model as a dict of integer tensors with all of `features.ENCODER_INPUTS`, int [B, S].

    The mask may be left out (1 where the id is not `pad_id`), and the segment ids (0). Names of Hugging Face are
    replaced by ours; lists and floating-point ids become integer tensors; features and other inputs stay.

    Raises:
        InputError: it is no dict with "input_ids", or has an input under both of its names.
    """
    if not isinstance(inputs, Mapping) or features.INPUT_IDS not in inputs:
        found = f"inputs {list(inputs)}" if isinstance(inputs, Mapping) else f"a {type(inputs).__name__}"
        raise InputError(
            f"Received: {found}. The inputs are a dict of integer tensors [batch, tokens]: 'input_ids', and where they "
            "differ from the default 'input_mask' (1 = token, 0 = padding) and 'segment_ids' (1 = second segment)."
        )
    complete: dict[str, Any] = {}
    for name, value in inputs.items():
        ours = HUGGINGFACE_NAMES.get(name, name)
        if ours in complete:
            raise InputError(f"Received: {ours!r} under two names, in {list(inputs)}. Give it once.")
        complete[ours] = value if ours == features.FEATURES else _as_integers(value)
    ids = complete[features.INPUT_IDS]
    if features.INPUT_MASK not in complete:
        complete[features.INPUT_MASK] = ops.cast(ops.not_equal(ids, pad_id), "int32")
    if features.SEGMENT_IDS not in complete:
        complete[features.SEGMENT_IDS] = ops.zeros_like(ids)
    return complete


def _as_integers(value):
    """The same numbers in an integer tensor or array: 16-bit floats do not hold all ids."""
    if isinstance(value, list | tuple):
        value = np.asarray(value)
    if hasattr(value, "dtype") and backend.is_float_dtype(backend.standardize_dtype(value.dtype)):
        return ops.cast(value, "int32")
    return value
