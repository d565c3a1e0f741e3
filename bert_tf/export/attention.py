"""Attention probabilities between the tokens of texts, for a signature of their own."""

from collections.abc import Sequence

import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.tasks.base.modalities import count_features
from bert_tf.tasks.base.multimodal_task import MultimodalTask
from bert_tf.tasks.base.task import Task
from bert_tf.text.input_packing import pack
from bert_tf.text.tokenizers.base import Tokenizer

# N texts, S tokens, T features of files, R rows and C columns of those of one, L layers, H heads

MAX_TOKENS = 128  # per row: outputs grow with its square, and people look at them


def attention(model: Task, texts: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
    """Attention probabilities of each token to the others, TensorFlow ops only.

    Args:
        model: a task model.
        texts: string tensors [N], one or two, or a text and contents of files. Texts are cut to `MAX_TOKENS` tokens,
            also where the model's answers read more.

    Returns:
        - "pieces": string [N, S], the tokens as the vocabulary has them; "" for padding.
        - "texts": string [N, S], the tokens as parts of words.
        - "words": int32 [N, S], the number of the word that a token belongs to, counted over the row; -1 for special
          tokens and padding.
        - "image_attention", "audio_attention", "vectors_attention", where the model reads such files: float32
          [N, L, S, R, C], the attention of a token to each feature of the file; 0 without a file.
        - "attention": float32 [N, L, S, S]. `attention[n, l, i, j]` is the attention of token i to token j in layer l
          (Vaswani et al. 2017, section 3.2.1), the mean of all heads; 0 from and to padding.

    Raises:
        ConfigError: the encoder has no attention.
    """
    if not model.encoder.has_attention_probs:
        raise ConfigError(f"The encoder {model.family} has no attention. Leave --attention out.")
    optional = model.TEXTS[len(texts) - 1] in model.OPTIONAL_TEXTS
    words, contents = texts[: model.num_segments], texts[model.num_segments :]
    rows = pack(model.tokenizer, words, min(model.max_length, MAX_TOKENS), optional=optional)
    inputs = dict(rows)
    if isinstance(model, MultimodalTask):
        inputs |= model.file_features(model.files.decode(contents))
    layers = model.encoder(inputs, training=False, all_outputs=True)["attention_probs"]  # L of [N, H, S + T, S + T]
    shares = tf.stack([tf.reduce_mean(tf.cast(heads, tf.float32), 1) for heads in layers], 1)
    ids, real = rows[features.INPUT_IDS], rows[features.INPUT_MASK]  # [N, S]
    length = tf.shape(ids)[1]
    shares = shares[:, :, :length] * tf.cast(real, tf.float32)[:, tf.newaxis, :, tf.newaxis]  # [N, L, S, S + T]
    to_files, first = {}, length
    for part in model.files.parts if isinstance(model, MultimodalTask) else ():
        found = shares[..., first : first + count_features(part)]  # [N, L, S, T]
        to_files[f"{part.name}_attention"] = tf.reshape(found, tf.concat([tf.shape(found)[:3], part.grid], 0))
        first += count_features(part)
    return to_files | {
        "pieces": tf.where(real > 0, tf.gather(tf.constant(model.tokenizer.vocabulary), ids), ""),
        "texts": tf.where(real > 0, tf.gather(tf.constant(model.tokenizer.token_texts), ids), ""),
        "words": _word_numbers(model.tokenizer, ids),
        "attention": shares[..., :length],
    }


def _word_numbers(tokenizer: Tokenizer, ids: tf.Tensor) -> tf.Tensor:
    """The number of the word that each token [N, S] belongs to, -1 for the special tokens of the layout."""
    added = tf.reduce_any(ids[..., tf.newaxis] == tf.constant(tokenizer.added_ids, ids.dtype), -1)
    after_added = tf.pad(added[:, :-1], [[0, 0], [1, 0]], constant_values=True)  # where a text begins
    starts = (tf.gather(tf.constant(tokenizer.starts_word), ids) | after_added) & ~added
    return tf.where(added, -1, tf.cumsum(tf.cast(starts, tf.int32), 1) - 1)
