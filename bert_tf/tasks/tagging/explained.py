"""The output of a tagger that is attributed to words: the logits of the tags of entities."""

from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.tasks.base.explained import Explained, check_label
from bert_tf.tasks.tagging.schemes import OUTSIDE


def explained(model: Any, inputs: dict[str, tf.Tensor], outputs: tf.Tensor, label: str | None) -> Explained:
    """The sum of the logits of the tags that the tokens get; arguments as for `explained_of`.

    Of the tag `label` alone where it is given; else of all but "O", or of all tokens where there is no other tag.

    Raises:
        InputError: no token has the tag `label`.
    """
    check_label(label, model.labels)
    tags = tf.argmax(outputs[0], -1).numpy()  # [S]
    ids = inputs[features.INPUT_IDS][0].numpy()
    of_text = (inputs[features.INPUT_MASK][0].numpy() > 0) & ~np.isin(ids, model.tokenizer.added_ids)  # [S]
    names = np.array(model.labels)[tags]
    chosen = np.flatnonzero(of_text & (names == label if label else names != OUTSIDE))
    if label and not len(chosen):
        raise InputError(f"Received: the label {label!r}, which no token of the text gets.")
    if not len(chosen):
        chosen = np.flatnonzero(of_text)
    places = np.stack([chosen, tags[chosen]], 1)  # [tokens, 2]
    found = ", ".join(dict.fromkeys(names[chosen].tolist()))

    def score(logits: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.gather_nd(tf.transpose(logits, [1, 2, 0]), places), 0)

    return Explained(found, score, chosen.tolist())
