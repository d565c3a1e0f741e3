"""Classification of a text or a pair of texts, with one class, any labels, or a score (Devlin et al. 2019, 4.1)."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.layers.pooling import POOLINGS, pool
from bert_tf.tasks.base.batching import select
from bert_tf.tasks.base.class_weights import number_weights
from bert_tf.tasks.base.labels import NAMES, label_names
from bert_tf.tasks.base.logit_losses import CATEGORICAL, check_accuracy
from bert_tf.tasks.base.long_text_task import LongTextTask
from bert_tf.tasks.classification import SPEC
from bert_tf.tasks.classification.postprocessor import ClassificationPostprocessor
from bert_tf.tasks.classification.preprocessor import ClassificationPreprocessor
from bert_tf.tasks.classification.problem_types import PROBLEM_TYPES

# N texts, S sequence, D hidden, C classes

_SAVED = ("labels", "problem_type", "pooling")  # settings in config.json, of the same name on the model


@keras.saving.register_keras_serializable("bert_tf")
class TextClassifier(LongTextTask):
    """One dense layer over one vector per text: the encoder's inputs to float32 logits [N, C].

    Args:
        tokenizer: a `Tokenizer`.
        labels: names of the C classes; targets are these names or their places from 0 (`LabelIndex`), or rows of 0 and
            1 for each class. For a regression, the name of its score, if it has one.
        max_length: most tokens of a row; None: 128, or all positions of a smaller encoder.
        problem_type: "single_label_classification", "multi_label_classification" (a sigmoid for each label) or
            "regression".
        pooling: "cls" reads the encoder's pooled output, as in Devlin et al.; "mean" or "max" pool all token vectors,
            which may be better for an encoder whose pooler was never trained.
        stride: tokens from one window of a long text to the next (`LongTextTask`); None: long texts are truncated.
        encoder: the family's name and the fields of its config.

    Raises:
        ConfigError: `problem_type` or `pooling` is unknown, or the labels are too few or not distinct.
    """

    SPEC = SPEC
    SCORE = "accuracy"  # each problem type sets its own
    preprocessor: ClassificationPreprocessor

    def __init__(
        self,
        tokenizer: Any,
        labels: Sequence[str] = (),
        max_length: int | None = None,
        problem_type: str = "single_label_classification",
        pooling: str = "cls",
        stride: int | None = None,
        **encoder: Any,
    ):
        if "num_labels" in encoder:  # the name in other projects
            raise ConfigError(f"Received: num_labels={encoder['num_labels']}. {NAMES}.")
        super().__init__(tokenizer, max_length, **encoder)
        if problem_type not in PROBLEM_TYPES:
            raise ConfigError(f"Received: problem_type={problem_type!r}. Choose from {', '.join(PROBLEM_TYPES)}.")
        if pooling not in POOLINGS:
            raise ConfigError(f"Received: pooling={pooling!r}. Choose from {', '.join(POOLINGS)}.")
        regression = problem_type == "regression"
        labels = label_names(labels, 0 if regression else PROBLEM_TYPES[problem_type].least_labels)
        if regression and not labels:
            labels = ["score"]
        self.labels, self.problem_type, self.pooling = labels, problem_type, pooling
        self.problem = PROBLEM_TYPES[problem_type](labels)
        self.SCORE = self.problem.SCORE
        self.preprocessor = self.make_preprocessor(stride)
        self.postprocessor = ClassificationPostprocessor(labels, self.problem)
        self.cls_only = pooling == "cls"
        if not self.cls_only:
            self.leave_pooler()
        self.dropout = keras.layers.Dropout(self.config.hidden_dropout, dtype=self.dtype_policy)
        self.classifier = self.make_head(len(labels), "classifier")
        self.build()

    def make_preprocessor(self, stride: int | None) -> ClassificationPreprocessor:
        """The object from texts and targets to inputs."""
        return ClassificationPreprocessor(self.SPEC, self.tokenizer, self.max_length, stride, self.problem)

    @property
    def purpose(self) -> str:
        """As `Task.purpose`, by the problem type."""
        return self.problem.summary

    def build(self, input_shape: Any = None) -> None:
        """Creates the weights of the head."""
        self.classifier.build((None, self.config.hidden_size))

    def call(self, inputs: dict, training: bool | None = None) -> Any:
        """The encoder's inputs, int32 [N, S], to logits, float32 [N, C]."""
        outputs = self.encoder(inputs, training=training, cls_only=self.cls_only)
        pooled = outputs[features.POOLED_OUTPUT]  # [N, D]
        if not self.cls_only:
            pooled = pool(outputs[features.SEQUENCE_OUTPUT], inputs[features.INPUT_MASK], self.pooling)
            pooled = self.encoder.head_vectors(pooled)
        return ops.cast(self.classifier(self.dropout(pooled, training=training)), "float32")

    @property
    def LOSSES(self) -> tuple[str, ...] | None:
        """As `Task.LOSSES`, by the problem type."""
        return self.problem.LOSSES

    def compile(
        self, optimizer: Any = None, loss: Any = None, metrics: Any = None, weighted_metrics: Any = None, **kwargs: Any
    ) -> None:
        """As `Task.compile`; a loss of Keras's that compares with one-hot targets gets them, from raw targets too."""
        metrics = self.problem.metrics_of_logits(metrics)
        weighted_metrics = self.problem.metrics_of_logits(weighted_metrics)
        super().compile(optimizer, loss, metrics, weighted_metrics=weighted_metrics, **kwargs)
        self.preprocessor.one_hot = isinstance(getattr(self.loss, "loss", self.loss), CATEGORICAL)
        if self.problem_type == "single_label_classification":
            check_accuracy((metrics, weighted_metrics), self.preprocessor.one_hot)

    def default_loss(self) -> Any:
        """The loss of the problem type."""
        return self.problem.loss()

    def default_metrics(self) -> list:
        """The metrics of the problem type."""
        return self.problem.metrics()

    def class_weights(self, weights: Any, targets: Any = None) -> dict[int, float]:
        """Weights by number of the class (see `number_weights`); "balanced" counts `targets`.

        Raises:
            ConfigError: the problem type is another one, "balanced" has no targets, or a class is unknown.
        """
        if self.problem_type != "single_label_classification":
            raise ConfigError(f"Received: class_weight for {self.problem_type}. It is for texts of one class each.")
        numbers = None if targets is None else self.preprocessor.encode_targets(targets)
        return number_weights(weights, self.labels, numbers)

    def example_outputs(self, answers: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """As `Task.example_outputs`: Regress for a score, Classify for all other problem types."""
        if "score" in answers:
            return {"outputs": answers["score"][:, tf.newaxis]}  # [N, 1]
        scores = answers["probabilities"]  # [N, C]
        return {"classes": tf.broadcast_to(tf.constant(self.labels), tf.shape(scores)), "scores": scores}

    def task_settings(self) -> dict:
        """As `Task.task_settings`, with labels, problem type and pooling."""
        return super().task_settings() | {name: getattr(self, name) for name in _SAVED}

    def has_head_of(self, task: dict) -> bool:
        """Whether the saved settings are those of a classifier of the same problem type and labels."""
        if not super().has_head_of(task):
            return False
        settings = self.saved_settings(task, "")
        return settings.get("labels") == self.labels and settings["problem_type"] == self.problem_type

    @classmethod
    def saved_settings(cls, task: dict, source: Any) -> dict:
        """As `Task.saved_settings`; without a problem type, one label means regression, as in Hugging Face's files.

        Raises:
            InputError: the problem type is unknown, or a regression has several labels.
        """
        settings = super().saved_settings(task, source) | select(task, _SAVED)
        labels = settings.get("labels", [])
        default = "regression" if len(labels) == 1 else "single_label_classification"
        settings["problem_type"] = problem = settings.get("problem_type") or default
        if problem not in PROBLEM_TYPES or (problem == "regression" and len(labels) > 1):
            raise InputError(f"{source} was trained for {problem} of {len(labels)} numbers, which no task supports.")
        return settings
