"""Trains a student on masked language modelling and on the answers and inner vectors of a pretrained teacher."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from bert_tf.core import features
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.modeling.train_step import DistributedSteps, GlobalMean
from bert_tf.tasks.distillation.followed_layers import HIDDEN, RELATIONS, FollowedLayers
from bert_tf.tasks.distillation.soft_targets import OutputAsLoss, SoftClasses

# B batch, S sequence, P predictions, D width, V vocabulary

TEACHER = "teacher"  # name of the loss against the teacher's distributions


class PretrainingDistiller(DistributedSteps, keras.Model):
    """A student pretrainer with its teacher, trained in one `fit` on records with targets of `taught`.

    The loss is (1 - weight) * masked LM + next sentence + weight * teacher + hidden_weight * hidden + relation_weight *
    relations. Of a masked token the student learns the distribution over the vocabulary (DistilBERT, Sanh et al. 2019);
    hidden states follow TinyBERT (Jiao et al. 2020, section 3.2), relations MiniLMv2 (Wang et al. 2021). The teacher is
    computed in every step. Afterwards `student` is an ordinary model; nothing else is kept.

    Args:
        student: to be pretrained.
        teacher: pretrained, with the same tokens.
        weight: share of the masked LM's loss from the teacher's distributions, in [0, 1].
        temperature: softens both distributions; its square scales their divergence.
        hidden_weight, relation_weight: factors of these losses.
        layers, relation_heads: see `FollowedLayers`.

    Raises:
        ConfigError: `layers` or `relation_heads` do not fit the models.
    """

    def __init__(
        self,
        student: BertPretrainer,
        teacher: BertPretrainer,
        weight: float = 0.5,
        temperature: float = 2.0,
        hidden_weight: float = 0.0,
        relation_weight: float = 0.0,
        layers: Sequence[int] = (),
        relation_heads: int | None = None,
    ):
        super().__init__(name="pretraining_distiller", dtype=student.dtype_policy)
        self.student, self.encoder, self.config = student, student.encoder, student.config
        self._teacher = _Teacher(teacher)
        self._soft_loss = SoftClasses(temperature)
        weights = {TEACHER: weight, HIDDEN: hidden_weight, RELATIONS: relation_weight}
        self.weights_of = {name: value for name, value in weights.items() if value}
        self.taught = tuple(self.weights_of)
        self.followed = self.projection = None
        if followed := [name for name in self.taught if name != TEACHER]:
            encoders = (student.encoder, teacher.encoder)
            self.followed = FollowedLayers(*encoders, followed, layers, relation_heads, self.dtype_policy)
            self.projection = self.followed.projection  # Keras trains it as a layer of this model
        self.built = True

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> dict[str, Any]:
        """The student's logits, and the losses: "teacher" float32 [B, P], "hidden" and "relations" float32 [B]."""
        recording = self.encoder.recording() if self.followed else contextlib.nullcontext()
        with recording as recorded:
            outputs = self.student(inputs, training=training)
        names = (features.MASKED_LM_LOGITS, features.NEXT_SENTENCE_LOGITS)
        found = {name: outputs[name] for name in names if name in self._learned}
        logits, states = self._teacher(inputs)
        if TEACHER in self.taught:
            softened = ops.softmax(ops.cast(logits, "float32") / self._soft_loss.temperature)
            found[TEACHER] = self._soft_loss.call(softened, ops.cast(outputs[features.MASKED_LM_LOGITS], "float32"))
        if self.followed:
            found |= self.followed(recorded.states, states, inputs[features.INPUT_MASK])
        return found

    def compile(self, optimizer: Any, next_sentence: bool = True, **kwargs: Any) -> None:
        """As `BertPretrainer.compile`, with the losses of the teacher."""
        losses, metrics = self.student.losses_and_metrics(next_sentence)
        self._learned = tuple(losses)
        losses |= {name: GlobalMean(OutputAsLoss(name=name)) for name in self.taught}
        weights = dict.fromkeys(losses, 1.0) | self.weights_of
        weights[features.MASKED_LM_LOGITS] = 1.0 - self.weights_of.get(TEACHER, 0.0)
        super().compile(optimizer, loss=losses, loss_weights=weights, weighted_metrics=metrics, **kwargs)


class _Teacher:
    """No Keras layer, so that the variables of the model are not part of the student's training state."""

    def __init__(self, model: BertPretrainer):
        self.model = model

    def __call__(self, inputs: Mapping[str, Any]) -> tuple[Any, list[Any]]:
        """Logits of the masked tokens [B, P, V], and hidden states [B, S, D] of the embeddings and every layer."""
        with self.model.encoder.recording() as recorded:
            outputs = self.model(inputs, training=False)
        states = [ops.stop_gradient(state) for state in recorded.states]
        return ops.stop_gradient(outputs[features.MASKED_LM_LOGITS]), states


def with_taught(x: Any, y: dict[str, Any], weight: dict[str, Any], taught: Sequence[str]) -> tuple[Any, dict, dict]:
    """A batch of records with blank targets of the losses `taught`, which count each prediction or each row once."""
    predictions = weight[features.MASKED_LM_LOGITS]  # [B, P]
    rows = ops.ones_like(x[features.INPUT_IDS][:, 0], "float32")  # [B]
    counts = {name: predictions if name == TEACHER else rows for name in taught}
    return x, y | {name: ops.zeros_like(count) for name, count in counts.items()}, weight | counts
