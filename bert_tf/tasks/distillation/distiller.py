"""Trains a student on labels, on a teacher's outputs, and on the teacher's inner vectors, by Keras's `fit`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.modeling.train_step import DistributedSteps, GlobalMean
from bert_tf.tasks.base.class_weights import weigh_classes
from bert_tf.tasks.base.encoded import EncodedExamples
from bert_tf.tasks.base.prepared import PreparedExamples
from bert_tf.tasks.base.raw_inputs import is_text
from bert_tf.tasks.distillation.examples import join_columns, weigh_rows, with_labels, with_replaced_tokens
from bert_tf.tasks.distillation.followed_layers import HIDDEN, RELATIONS, FollowedLayers
from bert_tf.tasks.distillation.soft_targets import OutputAsLoss, soft_loss, soften
from bert_tf.tasks.distillation.teacher import ONE_OUTPUT, Teacher

# B batch, N examples, C classes, S positions of a row

LABELS, TEACHER = "labels", "teacher"  # names of further losses


class Distiller(DistributedSteps, keras.Model):
    """A student with its teacher, trained in one `fit`: the student's inputs to {name of a loss: its prediction}.

    The loss is (1 - weight) * labels + weight * teacher + hidden_weight * hidden + relation_weight * relations:
    - labels: the student's own loss, over the examples with labels;
    - teacher: the divergence from the teacher's outputs, which are computed once before training (`SoftClasses`);
    - hidden: mean squared error between the hidden states of the student's layers and those of the teacher's layers
      that they follow (Jiao et al. 2020, TinyBERT), through a learned projection where the widths differ;
    - relations: `relation_loss` of the last layer (MiniLM), for any widths and numbers of heads.
    The teacher's inner vectors are computed in every step. Afterwards `student` is an ordinary model; nothing else is
    kept.

    Args:
        student: a task model for classification, tagging or question answering, of any family.
        teacher: a trained model of the same task and labels (see `Teacher`).
        weight: share of the loss from the teacher's outputs, in [0, 1]; the rest is from the labels.
        temperature: softens both distributions of the teacher's loss.
        hidden_weight, relation_weight: factors of these losses; above 0 both models need transformer blocks.
        layers: the teacher's layer, from 1, that each layer of the student follows; (): evenly spread.
        relation_heads: see the function of that name.

    Raises:
        ConfigError: the teacher does not fit the student, or a setting does not fit them.
    """

    def __init__(
        self,
        student: Any,
        teacher: Any,
        weight: float = 0.5,
        temperature: float = 2.0,
        hidden_weight: float = 0.0,
        relation_weight: float = 0.0,
        layers: Sequence[int] = (),
        relation_heads: int | None = None,
        name: str = "distiller",
    ):
        super().__init__(name=name, dtype=student.dtype_policy)
        if not student.SPEC.distills:
            raise ConfigError(f"Received: a student for {student.TASK}, a task that cannot be distilled.")
        if not 0 <= weight <= 1 or not temperature > 0 or min(hidden_weight, relation_weight) < 0:
            raise ConfigError(
                f"Received: weight={weight}, temperature={temperature}, hidden_weight={hidden_weight}, "
                f"relation_weight={relation_weight}. weight is in [0, 1], temperature above 0, the others at least 0."
            )
        self.student, self.encoder, self.config = student, student.encoder, student.config
        self.teacher = Teacher(teacher, student)
        self.weights_of = {LABELS: 1 - weight, TEACHER: weight, HIDDEN: hidden_weight, RELATIONS: relation_weight}
        self.temperature = temperature
        self.followed = self.projection = None
        if hidden_weight or relation_weight:
            self.followed = self._follow_layers(layers, relation_heads)
            self.projection = self.followed.projection  # Keras trains it as a layer of this model
        elif layers:
            raise ConfigError(f"Received: layers={list(layers)} without hidden_weight or relation_weight. Set either.")
        self.built = True

    def _follow_layers(self, layers, heads):
        """The `FollowedLayers` of the losses that have a weight."""
        for check in (self.teacher.check_blocks, self.teacher.check_rows):
            check("hidden_weight or relation_weight")
        losses = [name for name in (HIDDEN, RELATIONS) if self.weights_of[name]]
        return FollowedLayers(self.encoder, self.teacher.model.encoder, losses, layers, heads, policy=self.dtype_policy)

    @property
    def SCORE(self) -> str:
        """As the student's."""
        return self.student.SCORE

    @property
    def cls_only(self) -> bool:
        """Whether the last block computes the vector of [CLS] alone."""
        return self.student.cls_only and not self.followed

    def call(self, inputs: dict, training: bool | None = None) -> dict:
        """The student's inputs to {"labels", "teacher": its outputs; "hidden", "relations": float32 [B]}.

        Losses of weight 0 are left out, except "labels".
        """
        if not self.followed:
            return self._outputs(self.student(inputs, training=training), inputs)
        with self.encoder.recording() as recorded:
            outputs = self._outputs(self.student(inputs, training=training), inputs)
        followed = self.teacher.hidden_states(inputs)
        return outputs | self.followed(recorded.states, followed, inputs[features.INPUT_MASK])

    def _outputs(self, logits, inputs):
        outputs = {LABELS: logits}
        if self.weights_of[TEACHER]:
            outputs[TEACHER] = self.student.outputs_to_teach(logits, inputs)
        return outputs

    def compile(self, optimizer: Any = None, **kwargs: Any) -> None:
        """As Keras's; by default AdamW at 5e-5. The losses and their weights are the distiller's own."""
        losses = {LABELS: self.student.default_loss()}
        if self.weights_of[TEACHER]:
            losses[TEACHER] = self._soft_losses()
        for name in (HIDDEN, RELATIONS):
            if self.weights_of[name]:
                losses[name] = GlobalMean(OutputAsLoss(name=name))
        weights = {}
        for name, loss in losses.items():
            # Several losses of one kind, those of the first and last token of an answer, share its weight.
            share = self.weights_of[name] / len(keras.tree.flatten(loss))
            weights[name] = keras.tree.map_structure(lambda _, share=share: share, loss)
        super().compile(
            optimizer or keras.optimizers.AdamW(5e-5, weight_decay=0.01, global_clipnorm=1.0),
            loss=losses,
            loss_weights=weights,
            **kwargs,
        )

    def _soft_losses(self):
        return keras.tree.map_structure(lambda loss: soft_loss(loss, self.temperature), self.student.default_loss())

    # Examples.

    def prepare(
        self,
        labelled: PreparedExamples,
        unlabelled: PreparedExamples | None = None,
        augment: int = 0,
        share: float = 0.15,
        seed: int = 0,
    ) -> PreparedExamples:
        """All examples to train on, for `teach`.

        Args:
            labelled: from the student's `preprocessor.prepare`.
            unlabelled: from `prepare_unlabelled`.
            augment: copies of each example with replaced tokens, of which the teacher's outputs alone are learned.
            share: of the tokens of a copy that are replaced.
            seed: of their choice.

        Raises:
            ConfigError: there are copies, and the teacher reads other tokens; or the teacher's outputs weigh nothing.
        """
        if (unlabelled is not None or augment) and not self.weights_of[TEACHER]:
            raise ConfigError("Received: weight=0 with texts without labels. They need a weight above 0.")
        found = with_labels(labelled, True)
        if unlabelled is not None:
            found = found.followed_by(with_labels(unlabelled, False))
        if augment:
            self.teacher.check_rows("augment")
        originals, rng = found, np.random.default_rng(seed)
        for _ in range(augment):
            special = self.student.tokenizer.added_ids
            found = found.followed_by(with_replaced_tokens(originals, share, special, rng))
        return found

    def prepare_unlabelled(self, texts: tuple) -> PreparedExamples:
        """Encoded texts without targets as examples with blank ones."""
        preprocessor = self.student.preprocessor
        return preprocessor.prepare(EncodedExamples(texts, preprocessor.blank_targets(texts)))

    def teacher_logits(
        self, examples: PreparedExamples, texts: tuple, show: Callable[[int, int], None] | None = None
    ) -> dict[str, np.ndarray]:
        """The teacher's outputs for examples of `prepare` (see `Teacher.logits`); {} if they weigh nothing."""
        return self.teacher.logits(examples, texts, show) if self.weights_of[TEACHER] else {}

    def teach(self, examples: PreparedExamples, logits: Mapping[str, np.ndarray]) -> PreparedExamples:
        """Examples of `prepare` with the teacher's outputs: (inputs, {loss: targets}, {loss: weights})."""
        known: dict[str, Any] = {}
        for name, values in logits.items():
            known[name] = tf.constant(values)
            if self.student.PER_TOKEN:
                known[name] = tf.RaggedTensor.from_row_lengths(known[name], examples.lengths)

        def change(inputs: dict, targets: Any, weights: Any, has_labels: tf.Tensor) -> tuple:
            learned = {LABELS: targets}
            counts = {LABELS: tf.nest.map_structure(lambda weight: weigh_rows(weight, has_labels), weights)}
            if known:
                outputs = known.get(ONE_OUTPUT, known)
                learned[TEACHER] = tf.nest.map_structure(soften, outputs, self._soft_losses())
                counts[TEACHER] = weights
            for name in (HIDDEN, RELATIONS):
                if self.weights_of[name]:
                    learned[name], counts[name] = tf.zeros_like(has_labels), tf.ones_like(has_labels)
            return inputs, learned, counts

        return examples.changed(change)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int = 32,
        epochs: int = 1,
        *,
        unlabelled: Any = None,
        augment: int = 0,
        shuffle: bool = True,
        validation_data: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Keras's `fit`; x may be raw texts with targets y, as for the student's `fit`.

        Args:
            unlabelled: more texts, in the form of x, of which the teacher's outputs alone are learned.
            augment: see `prepare`.
            validation_data: (texts, targets).
        """
        if not is_text(x):
            return super().fit(x, y, batch_size, epochs, shuffle=shuffle, validation_data=validation_data, **kwargs)
        if seed is None:
            seed = int(np.random.randint(2**31))
        how = {"unlabelled": unlabelled, "augment": augment, "seed": seed}
        examples = self.examples(x, y, sample_weight, class_weight, **how)
        steps = kwargs.setdefault("steps_per_epoch", -(-len(examples) // batch_size))
        start = kwargs.get("initial_epoch", 0) * steps
        data = self.student.dataset(examples, None, batch_size, shuffle, seed, start, repeat=None)
        if validation_data is not None:
            validation_data = self.student.dataset(self.examples(*validation_data), batch_size=batch_size)
        return super().fit(data, epochs=epochs, shuffle=False, validation_data=validation_data, **kwargs)

    def examples(
        self,
        texts: Any,
        targets: Any,
        sample_weight: Any = None,
        class_weight: Any = None,
        unlabelled: Any = None,
        augment: int = 0,
        seed: int = 0,
    ) -> PreparedExamples:
        """Raw texts with everything that `fit` learns from them; arguments and errors as for `fit`."""
        preprocessor = self.student.preprocessor
        encoded = preprocessor.encode(texts, targets, sample_weight, training=True)
        labelled, columns, others = preprocessor.prepare(encoded), encoded.texts, None
        if class_weight is not None:
            labelled = weigh_classes(labelled, self.student.class_weights(class_weight, targets))
        if unlabelled is not None:
            more = preprocessor.encode_texts(unlabelled, training=True)
            others, columns = self.prepare_unlabelled(more), join_columns(columns, more)
        examples = self.prepare(labelled, others, augment, seed=seed)
        return self.teach(examples, self.teacher_logits(examples, columns))
