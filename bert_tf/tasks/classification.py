"""Classification of a text or a pair of texts (Devlin et al. 2019, section 4.1)."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from bert_tf import features
from bert_tf.errors import ConfigError, InputError
from bert_tf.modeling.initializers import dense
from bert_tf.tasks.task import Task

# B batch, D hidden, C classes


class TextClassifier(Task):
    """One dense layer over the pooled [CLS] vector: the encoder's inputs to float32 logits [B, C].

    Args:
        tokenizer: a `Tokenizer`.
        labels: names of the C classes; targets are these names or their numbers.
        max_length: pieces a row at most; None: 128, or all positions of a smaller encoder.
        encoder: the fields of `EncoderConfig`.
    """

    TASK = "classification"
    TEXTS = ("text", "text_pair")
    OPTIONAL_TEXTS = ("text_pair",)
    SCORE = "accuracy"

    def __init__(self, tokenizer, labels=(), max_length=None, **encoder):
        super().__init__(tokenizer, max_length, **encoder)
        if len(labels) < 2:
            raise ConfigError(f"Received: labels={list(labels)}. A classifier needs the names of at least two classes.")
        self.labels = [str(label) for label in labels]
        self.dropout = keras.layers.Dropout(self.config.hidden_dropout, dtype=self.dtype_policy)
        self.classifier = dense(
            len(self.labels), self.config.initializer_range, dtype=self.dtype_policy, name="classifier"
        )
        self.build()

    def build(self, input_shape=None):
        self.classifier.build((None, self.config.hidden_size))

    def call(self, inputs, training=None):
        pooled = self.encoder(inputs, training=training)[features.POOLED_OUTPUT]  # [B, D]
        return ops.cast(self.classifier(self.dropout(pooled, training=training)), "float32")

    def default_loss(self):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def default_metrics(self):
        return ["accuracy"]

    def encode_targets(self, targets):
        """Names or numbers of classes to int32 numbers; one outside the labels raises `InputError`."""
        number = {label: i for i, label in enumerate(self.labels)} | {i: i for i in range(len(self.labels))}
        targets = np.asarray(targets).tolist()
        if strange := [target for target in targets if target not in number]:
            row = targets.index(strange[0])
            raise InputError(f"Row {row} has the label {strange[0]!r}. Labels: {', '.join(self.labels[:20])}.")
        return np.array([number[target] for target in targets], "int32")

    def answer(self, outputs, inputs):
        """Decoded answers in the graph: {"label": string [B], "probability": [B], "probabilities": [B, C]}."""
        del inputs
        probabilities = tf.nn.softmax(outputs)
        return {
            "label": tf.gather(tf.constant(self.labels), tf.argmax(probabilities, -1)),
            "probability": tf.reduce_max(probabilities, -1),
            "probabilities": probabilities,
        }

    def readable(self, answer):
        """{"label": name, "probability": float, "probabilities": {name: float}}."""
        answer = super().readable(answer)
        return answer | {"probabilities": dict(zip(self.labels, answer["probabilities"], strict=True))}

    def score_answers(self, answers, targets):
        """{"accuracy"} of `predict_text`'s answers."""
        names = [self.labels[number] for number in self.encode_targets(targets)]
        return {"accuracy": float(np.mean([a["label"] == name for a, name in zip(answers, names, strict=True)]))}

    def task_settings(self):
        """What `from_pretrained` needs beside the encoder, as the folder's config.json keeps it."""
        return {"name": self.TASK, "labels": self.labels, "max_length": self.max_length}

    def has_head_of(self, task):
        """Whether the saved `task` settings describe this very head."""
        return task.get("labels") == self.labels

    @staticmethod
    def saved_settings(task, source):
        """Arguments of the head from the saved `task` settings; a head with another kind of target is refused."""
        if task.get("problem_type") in ("regression", "multi_label_classification"):
            raise InputError(f"{source} was trained for {task['problem_type']}; this task gives each text one class.")
        return {key: task[key] for key in ("labels", "max_length") if key in task}
