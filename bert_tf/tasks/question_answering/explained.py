"""The output of a question answerer that is attributed to words: the logits of an answer's edges."""

from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.tasks.base.explained import Explained, check_label
from bert_tf.tasks.question_answering.decoding import END, START


def explained(model: Any, inputs: dict[str, tf.Tensor], outputs: dict, label: str | None) -> Explained:
    """The logits of the best span of the context, summed; arguments as for `explained_of`, without labels.

    Raises:
        InputError: the question leaves no room for the context.
    """
    check_label(label, ())
    starts, ends = outputs[START][0].numpy(), outputs[END][0].numpy()  # [S]
    ids = inputs[features.INPUT_IDS][0].numpy()
    of_context = (inputs[features.SEGMENT_IDS][0].numpy() == 1) & ~np.isin(ids, model.tokenizer.added_ids)
    places = np.flatnonzero(of_context)
    if not len(places):
        raise InputError(f"The question fills the row of {model.max_length} tokens. Shorten it.")
    lengths = places - places[:, np.newaxis]  # [start, end]
    allowed = (lengths >= 0) & (lengths < model.max_answer_length)
    scores = np.where(allowed, starts[places][:, np.newaxis] + ends[places], -np.inf)
    first, last = (int(places[i]) for i in np.unravel_index(np.argmax(scores), scores.shape))
    return Explained(
        model.tokenizer.decode(ids[first : last + 1]),
        lambda outputs: outputs[START][:, first] + outputs[END][:, last],
        [first, last],
    )
