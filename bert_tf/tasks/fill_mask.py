"""Fills [MASK] in texts with a pretrained model."""

import tensorflow as tf

from bert_tf import features
from bert_tf.errors import InputError
from bert_tf.text.packing import pack


def fill_mask(pretrainer, tokenizer, texts, top_k=5, max_length=None):
    """The best pieces for the first [MASK] of each text.

    Args:
        pretrainer: a `BertPretrainer`.
        tokenizer: its `Tokenizer`, with `special_tokens` on.
        texts: strings [B], each with a [MASK].
        top_k: how many pieces.
        max_length: pieces a row at most; None: as many as the model has positions.

    Returns:
        For each text a list of (piece, probability), the best first. A text without [MASK] within the length raises
        `InputError`.
    """
    inputs = pack(tokenizer, [tf.constant(texts)], max_length or pretrainer.config.max_positions)
    is_mask = tf.equal(inputs[features.INPUT_IDS], tokenizer.mask_id)  # [B, S]
    for text, found in zip(texts, tf.reduce_any(is_mask, 1).numpy(), strict=True):
        if not found:
            raise InputError(f"Received: {text!r}. A text needs a {features.MASK} to fill.")
    positions = tf.argmax(tf.cast(is_mask, tf.int32), 1, tf.int32)[:, tf.newaxis]  # [B, 1]
    outputs = pretrainer({**inputs, features.MASKED_LM_POSITIONS: positions}, training=False)
    best = tf.math.top_k(tf.nn.softmax(outputs[features.MASKED_LM_LOGITS][:, 0]), top_k)
    return [
        [(tokenizer.vocabulary[piece], float(probability)) for piece, probability in zip(*row, strict=True)]
        for row in zip(best.indices.numpy(), best.values.numpy(), strict=True)
    ]
