"""Attention probabilities between the tokens of texts, for a signature of their own."""

from collections.abc import Sequence

import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.tasks.base.task import Task
from bert_tf.text.input_packing import pack

# N texts, S tokens, L layers, H heads

MAX_TOKENS = 128  # per row: outputs grow with its square, and people look at them


def attention(model: Task, texts: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
    """Attention probabilities of each token to the others, TensorFlow ops only.

    Args:
        model: a task model.
        texts: string tensors [N], one or two. They are cut to `MAX_TOKENS` tokens, also where the model's answers read
            more.

    Returns:
        {"pieces": string [N, S], "attention": float32 [N, L, S, S]}: the tokens, and in `attention[n, l, i, j]` the
        attention of token i to token j in layer l (Vaswani et al. 2017, section 3.2.1), the mean of all heads. Padding
        is "", with attention 0 from and to it.

    Raises:
        ConfigError: the encoder has no attention.
    """
    if not model.encoder.has_attention_probs:
        raise ConfigError(f"The encoder {model.family} has no attention. Leave --attention out.")
    optional = model.TEXTS[len(texts) - 1] in model.OPTIONAL_TEXTS
    rows = pack(model.tokenizer, texts, min(model.max_length, MAX_TOKENS), optional=optional)
    layers = model.encoder(rows, training=False, all_outputs=True)["attention_probs"]  # L of [N, H, S, S]
    shares = tf.stack([tf.reduce_mean(tf.cast(heads, tf.float32), 1) for heads in layers], 1)  # [N, L, S, S]
    real = rows[features.INPUT_MASK]  # [N, S]
    tokens = tf.gather(tf.constant(model.tokenizer.vocabulary), rows[features.INPUT_IDS])
    return {
        "pieces": tf.where(real > 0, tokens, ""),
        "attention": shares * tf.cast(real, tf.float32)[:, tf.newaxis, :, tf.newaxis],
    }
