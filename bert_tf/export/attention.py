"""Where a model looks: the pieces of texts and the attention between them, for a signature of its own."""

import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.text.input_packing import pack

# N texts, S pieces, L layers, H heads

MOST_PIECES = 128  # a row: the numbers grow with its square, and they are for people to look at


def attention(model, texts):
    """What each piece takes from the others, TensorFlow ops only.

    Args:
        model: a task model; `ConfigError` for an encoder that does not tell its attention.
        texts: string tensors [N], one or two. They are read up to `MOST_PIECES` pieces, however many an answer is
            made from.

    Returns:
        {"pieces": string [N, S], "attention": float32 [N, L, S, S]}. `attention[n, l, i, j]` is the probability with
        which piece i looks at piece j in layer l (Vaswani et al. 2017, section 3.2.1), the mean of all heads. Padding
        is "", looks nowhere and is not looked at.
    """
    if model.config.encoder != "bert":
        raise ConfigError(f"The encoder {model.config.encoder} does not tell its attention; leave --attention out.")
    optional = model.TEXTS[len(texts) - 1] in model.OPTIONAL_TEXTS
    rows = pack(model.tokenizer, texts, min(model.max_length, MOST_PIECES), optional=optional)
    layers = model.encoder(rows, training=False, all_outputs=True)["attention_probs"]  # L of [N, H, S, S]
    shares = tf.stack([tf.reduce_mean(tf.cast(heads, tf.float32), 1) for heads in layers], 1)  # [N, L, S, S]
    real = rows[features.INPUT_MASK]  # [N, S]
    pieces = tf.gather(tf.constant(model.tokenizer.vocabulary), rows[features.INPUT_IDS])
    return {
        "pieces": tf.where(real > 0, pieces, ""),
        "attention": shares * tf.cast(real, tf.float32)[:, tf.newaxis, :, tf.newaxis],
    }
