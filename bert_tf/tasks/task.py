"""What every task model shares: raw strings into `fit`, `evaluate` and `predict`, and a folder to open and save."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from bert_tf import checkpoints
from bert_tf.errors import InputError
from bert_tf.modeling.encoder import BertEncoder
from bert_tf.modeling.pretrained import Pretrained
from bert_tf.text.packing import pack
from bert_tf.text.tokenizer import Tokenizer


class Task(Pretrained, keras.Model):
    """An encoder with a head, and the tokenizer that feeds it.

    A subclass names its `TASK` and adds the head, `call` from the encoder's inputs to logits, `encode_targets`, and
    `answer` from logits to decoded answers in the graph. Texts are a list or array of strings [N], or a tuple of two
    of them for pairs.
    """

    def __init__(self, tokenizer, max_length, name=None, dtype=None, trainable=True, **encoder):
        super().__init__(name=name or self.TASK, dtype=dtype, trainable=trainable)
        self.encoder = BertEncoder(dtype=self.dtype_policy, **encoder)
        self.config = self.encoder.config
        self.tokenizer = tokenizer
        self.max_length = max_length or min(128, self.config.max_positions)
        if self.max_length > self.config.max_positions:
            raise InputError(
                f"Received: max_length={max_length}. This encoder has {self.config.max_positions} positions."
            )

    @classmethod
    def from_pretrained(cls, folder, dtype=None, **settings):
        """The model in `folder`, with `settings` of the task or encoder (dropout, say) in place of the saved ones.

        An encoder's folder of any format will do; a head that the folder lacks, or has for other labels, starts fresh.
        """
        return cls.from_checkpoint(checkpoints.read(folder), folder, dtype, **settings)

    @classmethod
    def from_checkpoint(cls, checkpoint, source, dtype=None, **settings):
        """As `from_pretrained`, from a `Checkpoint`; `source` names it in messages."""
        if checkpoint.vocabulary is None:
            raise InputError(f"{source} has no vocabulary: a task model needs one to read text.")
        saved = cls.saved_settings(checkpoint.task, source) if checkpoint.task.get("name") == cls.TASK else {}
        tokenizer = Tokenizer(checkpoint.vocabulary, checkpoint.text)
        model = cls(tokenizer, dtype=dtype, **(dataclasses.asdict(checkpoint.encoder) | saved | settings))
        weights = checkpoint.weights
        if not model.has_head_of(checkpoint.task):
            weights = {name: value for name, value in weights.items() if name.startswith("encoder/")}
        model.assign(weights)
        return model

    def preprocess(self, texts, length=None):
        """Texts to the encoder's inputs, each int32 [N, length or the longest row]; TensorFlow ops only."""
        return pack(self.tokenizer, texts if isinstance(texts, tuple) else (texts,), self.max_length, length)

    def dataset(self, texts, targets=None, batch_size=32, shuffle=False):
        """Batches of inputs, and of targets if given, as `tf.data`; shuffled anew each epoch if asked for."""
        texts = tuple(map(_strings, texts)) if isinstance(texts, tuple) else _strings(texts)
        if targets is None:
            data = tf.data.Dataset.from_tensor_slices((texts,)).batch(batch_size)
            return data.map(self.preprocess, tf.data.AUTOTUNE).prefetch(2)
        data = tf.data.Dataset.from_tensor_slices((texts, self.encode_targets(targets)))
        if shuffle:
            data = data.shuffle(max(len(data), 1))
        data = data.batch(batch_size)
        return data.map(lambda text, target: (self.preprocess(text), target), tf.data.AUTOTUNE).prefetch(2)

    def fit(self, x=None, y=None, batch_size=32, shuffle=True, validation_data=None, **kwargs):
        """Keras's `fit`; x may be raw texts with targets y, or whatever Keras takes."""
        if _is_text(x):
            x, y, batch_size, shuffle = self.dataset(x, y, batch_size, shuffle), None, None, False
        if validation_data is not None and isinstance(validation_data, tuple) and _is_text(validation_data[0]):
            validation_data = self.dataset(*validation_data)
        return super().fit(x, y, batch_size, shuffle=shuffle, validation_data=validation_data, **kwargs)

    def evaluate(self, x=None, y=None, batch_size=32, **kwargs):
        """Keras's `evaluate`; x may be raw texts with targets y."""
        if _is_text(x):
            x, y, batch_size = self.dataset(x, y, batch_size), None, None
        return super().evaluate(x, y, batch_size, **kwargs)

    def predict(self, x, batch_size=32, **kwargs):
        """Keras's `predict`: logits; x may be raw texts."""
        if _is_text(x):
            x, batch_size = self.dataset(x, batch_size=batch_size), None
        return super().predict(x, batch_size, **kwargs)

    def save_pretrained(self, folder, overwrite=False):
        """Writes the model folder: config.json, vocab.txt, model.weights.h5."""
        super().save_pretrained(folder, self.tokenizer, task=self.task_settings(), overwrite=overwrite)


def _strings(texts):
    return np.asarray(texts, dtype=object) if not tf.is_tensor(texts) else texts


def _is_text(x):
    first = x[0] if isinstance(x, tuple) and x else x
    if tf.is_tensor(first):
        return first.dtype == tf.string
    if isinstance(first, np.ndarray):
        return first.dtype.kind in "OUS"
    return isinstance(first, list) and bool(first) and isinstance(first[0], str | bytes)
