"""Classification of a text or a pair of texts, with one class, any labels, or a score (Devlin et al. 2019, 4.1)."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.layers.pooling import POOLINGS, pool
from bert_tf.tasks.base.long_text_task import LongTextTask
from bert_tf.tasks.classification import SPEC
from bert_tf.tasks.classification.postprocessor import ClassificationPostprocessor
from bert_tf.tasks.classification.preprocessor import ClassificationPreprocessor
from bert_tf.tasks.classification.problem_types import PROBLEM_TYPES

# N texts, S sequence, D hidden, C classes


class TextClassifier(LongTextTask):
    """One dense layer over one vector per text: the encoder's inputs to float32 logits [N, C].

    Args:
        tokenizer: a `Tokenizer`.
        labels: names of the C classes; targets are these names or their numbers. For a regression, the name of its
            score, if any.
        max_length: most tokens of a row; None: 128, or all positions of a smaller encoder.
        problem_type: "single_label_classification", "multi_label_classification" (a sigmoid for each label) or
            "regression".
        pooling: "cls" takes the encoder's pooled output, as Devlin et al. do; "mean" or "max" that over all tokens,
            which may suit an encoder better whose pooler was never trained.
        encoder: the family's name and the fields of its config; `stride`, to read long texts whole (`LongTextTask`).
    """

    SPEC = SPEC
    SCORE = "accuracy"  # of other problem types their own

    def __init__(
        self,
        tokenizer,
        labels=(),
        max_length=None,
        problem_type="single_label_classification",
        pooling="cls",
        stride=None,
        **encoder,
    ):
        super().__init__(tokenizer, max_length, **encoder)
        if problem_type not in PROBLEM_TYPES:
            raise ConfigError(f"Received: problem_type={problem_type!r}. Choose from {', '.join(PROBLEM_TYPES)}.")
        if pooling not in POOLINGS:
            raise ConfigError(f"Received: pooling={pooling!r}. Choose from {', '.join(POOLINGS)}.")
        labels = [str(label) for label in labels] or ["score"] * (problem_type == "regression")
        if len(labels) < PROBLEM_TYPES[problem_type].least_labels or len(set(labels)) < len(labels):
            raise ConfigError(f"Received: labels={labels}. A classifier needs the names of at least two classes.")
        self.labels, self.problem_type, self.pooling = labels, problem_type, pooling
        self.problem = PROBLEM_TYPES[problem_type](labels)
        self.SCORE = self.problem.SCORE
        self.preprocessor = ClassificationPreprocessor(SPEC, tokenizer, self.max_length, stride, self.problem)
        self.postprocessor = ClassificationPostprocessor(labels, self.problem)
        self.cls_only = pooling == "cls"
        if not self.cls_only:
            self.leave_pooler()
        self.dropout = keras.layers.Dropout(self.config.hidden_dropout, dtype=self.dtype_policy)
        self.classifier = self.make_head(len(labels), "classifier")
        self.build()

    def build(self, input_shape=None):
        self.classifier.build((None, self.config.hidden_size))

    def call(self, inputs, training=None):
        outputs = self.encoder(inputs, training=training, cls_only=self.cls_only)
        pooled = outputs[features.POOLED_OUTPUT]  # [N, D]
        if not self.cls_only:
            pooled = pool(outputs[features.SEQUENCE_OUTPUT], inputs[features.INPUT_MASK], self.pooling)
        return ops.cast(self.classifier(self.dropout(pooled, training=training)), "float32")

    def default_loss(self):
        return self.problem.loss()

    def default_metrics(self):
        return self.problem.metrics()

    def fit(self, x=None, y=None, *args, class_weight=None, **kwargs):
        """Keras's `fit`; `class_weight` may be as `class_weights` takes it."""
        if class_weight is not None:
            class_weight = self.class_weights(class_weight, y)
        return super().fit(x, y, *args, class_weight=class_weight, **kwargs)

    def class_weights(self, weights, targets=None):
        """Weights by number of the class, as Keras's `class_weight` wants them; a class without one counts 1.

        `weights` is a dict by name or number, or "balanced": N texts, C classes and n texts of one give it N / (C n).
        """
        if self.problem_type != "single_label_classification":
            raise ConfigError(f"Received: class_weight for {self.problem_type}. It is for texts of one class each.")
        if weights == "balanced":
            if targets is None:
                raise ConfigError("Received: class_weight='balanced' without targets. Give targets, or the weights.")
            counts = np.bincount(self.preprocessor.encode_targets(targets), minlength=len(self.labels))
            weights = {i: counts.sum() / (len(counts) * count) for i, count in enumerate(counts) if count}
        strange = [name for name in weights if name not in self.problem.number]
        if strange:
            raise ConfigError(f"Received: class_weight for {strange[0]!r}. Labels: {', '.join(self.labels[:20])}.")
        numbered = {self.problem.number[name]: float(weight) for name, weight in weights.items()}
        return {i: numbered.get(i, 1.0) for i in range(len(self.labels))}

    def example_outputs(self, answers: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        if "score" in answers:
            return {"outputs": answers["score"][:, tf.newaxis]}  # [N, 1]
        scores = answers["probabilities"]  # [N, C]
        return {"classes": tf.broadcast_to(tf.constant(self.labels), tf.shape(scores)), "scores": scores}

    def task_settings(self):
        own = {"labels": self.labels, "problem_type": self.problem_type, "pooling": self.pooling}
        return super().task_settings() | own

    def has_head_of(self, task):
        if not super().has_head_of(task):
            return False
        settings = self.saved_settings(task, "")
        return settings.get("labels") == self.labels and settings["problem_type"] == self.problem_type

    @classmethod
    def saved_settings(cls, task, source):
        """As the base's. A head for one number without a word about the problem is a regression, as Hugging Face's."""
        names = ("labels", "problem_type", "pooling")
        settings = super().saved_settings(task, source) | {name: task[name] for name in names if name in task}
        labels = settings.get("labels", [])
        default = "regression" if len(labels) == 1 else "single_label_classification"
        settings["problem_type"] = problem = settings.get("problem_type") or default
        if problem not in PROBLEM_TYPES or (problem == "regression" and len(labels) > 1):
            raise InputError(f"{source} was trained for {problem} of {len(labels)} numbers, which no task here gives.")
        return settings
