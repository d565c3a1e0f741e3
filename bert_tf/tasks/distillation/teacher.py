"""A trained model as the teacher of another: whether it fits the student, and its logits for training examples."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.modeling.families.transformer import TransformerEncoder
from bert_tf.tasks.base.encoded import EncodedExamples
from bert_tf.tasks.base.prepared import PreparedExamples
from bert_tf.tasks.base.saved_tokenizer import describe_tokenizer

# N examples, C classes, W rows, S positions of a row

BATCH = 64  # rows of a batch of inference
ONE_OUTPUT = "logits"  # name of the output of a model with only one


class Teacher:
    """A task model that has learned the task of a student.

    No Keras layer, so that the variables of the model are not part of the student's training state.

    Args:
        model: the teacher, a task model.
        student: of the same task, and labels in any order.

    Attributes:
        reads_rows: whether it reads the student's token ids; if not, it tokenizes the texts itself.

    Raises:
        ConfigError: the teacher has another task, other labels, or, for a task with outputs per token, another
            vocabulary or too few positions.
    """

    def __init__(self, model: Any, student: Any):
        _check_outputs(model, student)
        self.model, self.student = model, student
        self._graph: Any = None
        self._order = None  # of the teacher's classes in the student's outputs
        if getattr(model, "labels", None) != getattr(student, "labels", None):
            self._order = [model.labels.index(label) for label in student.labels]
        self._difference = _difference_of_rows(model, student)
        self.reads_rows = not self._difference
        if student.PER_TOKEN:
            self.check_rows(f"{student.TASK}, a task on tokens")

    def check_rows(self, reason: str) -> None:
        """Raises `ConfigError` unless the teacher reads the student's token ids; `reason` is what needs it."""
        if self._difference:
            raise ConfigError(f"Received: a teacher {self._difference}. {reason} needs a teacher of the same tokens.")

    def check_blocks(self, reason: str) -> None:
        """Raises `ConfigError` unless both models have transformer blocks; `reason` is what needs them."""
        for role, model in (("teacher", self.model), ("student", self.student)):
            if not isinstance(model.encoder, TransformerEncoder):
                raise ConfigError(
                    f"Received: {reason} with a {role} of the family {model.family}, which has no blocks."
                )

    def lend_embeddings(self) -> None:
        """Gives the student the teacher's token embeddings, centred and scaled to a variance of 1.

        Where the student is narrower it gets their first principal components, where it is wider the rest of its own.

        Raises:
            ConfigError: the teacher reads other tokens, or the student has transformer blocks, whose embeddings are
                added to others.
        """
        self.check_rows("embeddings")
        if isinstance(self.student.encoder, TransformerEncoder):
            raise ConfigError(
                f"Received: embeddings with a student of the family {self.student.family}, which adds positions to "
                "them. Only the BiLSTM can begin with them."
            )
        theirs = keras.ops.convert_to_numpy(self.model.encoder.token_embedding.embeddings).astype("float64")  # [V, D]
        ours = self.student.encoder.token_embedding.embeddings
        values = theirs - theirs.mean(0)
        width = min(ours.shape[1], values.shape[1])
        if width < values.shape[1]:
            _, directions = np.linalg.eigh(values.T @ values)  # in columns, the last ones have the largest variances
            values = values @ directions[:, ::-1][:, :width]
        initial = keras.ops.convert_to_numpy(ours).copy()
        initial[:, :width] = values / values.std()
        ours.assign(initial)

    def hidden_states(self, inputs: dict) -> list[Any]:
        """The teacher's hidden states for the student's inputs: [B, S, D] of the embeddings and of every layer."""
        with self.model.encoder.recording() as recorded:
            self.model.encoder({name: inputs[name] for name in features.ENCODER_INPUTS}, training=False)
        return [keras.ops.stop_gradient(state) for state in recorded.states]

    def logits(
        self, examples: PreparedExamples, texts: tuple, show: Callable[[int, int], None] | None = None
    ) -> dict[str, np.ndarray]:
        """The teacher's outputs for training examples of the student.

        Args:
            examples: of the student.
            texts: their encoded texts, for a teacher that tokenizes itself; else not read.
            show: called with the number of examples done and that of all.

        Returns:
            {name of the output: float32 [N, C]}; for outputs per token, those of all rows joined, without padding:
            [tokens, ...].
        """
        if not self.reads_rows:
            examples = self.model.preprocessor.prepare(EncodedExamples(texts))
        found: dict[str, np.ndarray] = {}
        ends = np.cumsum(examples.lengths)
        done = 0
        for numbers in examples.batches_by_length(BATCH):
            for name, values in self._outputs(examples.batch(numbers)).items():
                if name not in found:
                    count = ends[-1] if self.model.PER_TOKEN else len(examples)
                    skipped = 2 if self.model.PER_TOKEN else 1
                    found[name] = np.zeros((count, *values.shape[skipped:]), "float32")
                if not self.model.PER_TOKEN:
                    found[name][numbers] = values
                    continue
                for row, number in enumerate(numbers):
                    length = examples.lengths[number]
                    found[name][ends[number] - length : ends[number]] = values[row, :length]
            done += len(numbers)
            if show:
                show(done, len(examples))
        return found

    def _outputs(self, batch: Any) -> dict[str, np.ndarray]:
        """{name: outputs} of the model for a batch, its classes in the student's order."""
        inputs = batch[0] if isinstance(batch, tuple) else batch
        outputs = self._forward({name: inputs[name] for name in self.model.INPUTS})
        if not isinstance(outputs, dict):
            outputs = {ONE_OUTPUT: outputs}
        arrays = {name: keras.ops.convert_to_numpy(values) for name, values in outputs.items()}
        if self._order is None:
            return arrays
        return {name: values[..., self._order] for name, values in arrays.items()}

    def _forward(self, inputs: dict) -> Any:
        if keras.backend.backend() != "tensorflow":
            return self._outputs_to_teach({name: value.numpy() for name, value in inputs.items()})
        if self._graph is None:
            any_size = {name: tf.TensorSpec([None] * value.shape.rank, value.dtype) for name, value in inputs.items()}
            graph = tf.function(self._outputs_to_teach, autograph=False)
            self._graph = graph.get_concrete_function(any_size)
        return self._graph(inputs)

    def _outputs_to_teach(self, inputs: dict) -> Any:
        return self.model.outputs_to_teach(self.model(inputs, training=False), inputs)


def _check_outputs(model: Any, student: Any) -> None:
    """Raises `ConfigError` for a teacher with other outputs than the student's."""
    if model.TASK != student.TASK:
        raise ConfigError(f"Received: a teacher for {model.TASK} and a student for {student.TASK}. Give one for it.")
    kinds = [getattr(one, "problem_type", None) for one in (model, student)]
    if kinds[0] != kinds[1]:
        raise ConfigError(f"Received: a teacher for {kinds[0]} and a student for {kinds[1]}. Give one for it.")
    if kinds[0] == "regression":
        return
    theirs, ours = getattr(model, "labels", []), getattr(student, "labels", [])
    if sorted(theirs) != sorted(ours):
        raise ConfigError(
            f"Received: a teacher with the labels {', '.join(theirs[:20])}, and a student with "
            f"{', '.join(ours[:20])}. Both need the same: set model.labels, or give another teacher."
        )


def _difference_of_rows(model: Any, student: Any) -> str:
    """How the rows that the teacher can read differ from the student's, "" if they do not."""
    if describe_tokenizer(model.tokenizer) != describe_tokenizer(student.tokenizer):
        return "with another vocabulary or tokenizer"
    if model.config.max_positions < student.max_length:
        return f"with {model.config.max_positions} positions for rows of up to {student.max_length} tokens"
    return ""
