"""Answers to questions as spans of a context (Devlin et al. 2019, sections 4.2 and 4.3)."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.modeling.train_step import GlobalMean
from bert_tf.tasks.base.batching import select
from bert_tf.tasks.base.substrings import substrings
from bert_tf.tasks.base.windowed_task import WindowedTask
from bert_tf.tasks.question_answering import SPEC, metrics
from bert_tf.tasks.question_answering.decoding import END, NEVER, START
from bert_tf.tasks.question_answering.postprocessor import QuestionAnsweringPostprocessor
from bert_tf.tasks.question_answering.preprocessor import QuestionAnsweringPreprocessor

# N questions, W windows, S sequence, K candidates, D hidden


def _setting(owner: str, name: str, doc: str) -> property:
    """A setting of the model that its `owner`, the preprocessor or the postprocessor, keeps and reads."""

    def read(model: "QuestionAnswerer") -> Any:
        return getattr(getattr(model, owner), name)

    def write(model: "QuestionAnswerer", value: Any) -> None:
        setattr(getattr(model, owner), name, value)
        model.reset_predict_graph()  # the traced graph holds the old value

    return property(read, write, doc=doc)


@keras.saving.register_keras_serializable("bert_tf")
class QuestionAnswerer(WindowedTask):
    """Two dense scores per token: the encoder's inputs to {"start_logits", "end_logits"}, float32 [W, S] each.

    Contexts longer than a row are cut into windows, each preceded by the question. The target of a window is the
    position of the answer in it, or [CLS] where the window does not contain it; the best answer of all windows wins.
    In training, positions of the question and of padding score -1e9, because no answer is looked for there: the
    softmax is over [CLS] and the context. Settings are those of google-research/bert, run_squad.py.

    The target of a question is the `answers` of SQuAD's files, a list of {"text", "answer_start"}: the first is
    learned, all are right in `score`; [] where the context has no answer.

    Args:
        tokenizer: a `Tokenizer`.
        max_length: most tokens of a row; None: 384, or all positions of a smaller encoder.
        stride: tokens from one window to the next; None: half of `max_length`, 128 at most.
        max_question_length: most tokens of a question; the rest is cut off.
        max_answer_length: most tokens of an answer.
        null_threshold: margin by which the score of "no answer" (that of [CLS]) must exceed the best answer's; 0.0 is
            a good first value. None: there is always an answer, as in SQuAD 1.1.
        n_best: number of candidates in an answer, K.
        metric: "squad", or "cmrc" for Chinese.
        encoder: the family's name, and the fields of its config.

    Raises:
        ConfigError: a length or `n_best` is below 1, or `metric` is unknown.
    """

    SPEC = SPEC
    SCORE = "f1"
    LENGTH = 384
    LOGITS = {START: tf.float32, END: tf.float32}

    SETTINGS = ("max_question_length", "max_answer_length", "null_threshold", "n_best", "metric")

    def __init__(
        self,
        tokenizer: Any,
        max_length: int | None = None,
        stride: int | None = None,
        max_question_length: int = 64,
        max_answer_length: int = 30,
        null_threshold: float | None = None,
        n_best: int = 20,
        metric: str = "squad",
        **encoder: Any,
    ):
        super().__init__(tokenizer, max_length, **encoder)
        if min(max_question_length, max_answer_length, n_best) < 1:
            raise ConfigError(
                f"Received: max_question_length={max_question_length}, max_answer_length={max_answer_length}, "
                f"n_best={n_best}. All must be at least 1."
            )
        if metric not in metrics.METRICS:
            raise ConfigError(f"Received: metric={metric!r}. Metrics: {', '.join(metrics.METRICS)}.")
        self.preprocessor = QuestionAnsweringPreprocessor(SPEC, tokenizer, self.max_length, stride, max_question_length)
        self.postprocessor = QuestionAnsweringPostprocessor(max_answer_length, null_threshold, n_best, metric)
        self.leave_pooler()
        self.answer_span = self.make_head(2, "answer_span")
        self.build()

    max_question_length = _setting("preprocessor", "max_question_length", "Most tokens of a question.")
    max_answer_length = _setting("postprocessor", "max_answer_length", "Most tokens of an answer.")
    null_threshold = _setting("postprocessor", "null_threshold", "Margin of the null score; None: always an answer.")
    n_best = _setting("postprocessor", "n_best", "Number of candidates.")
    metric = _setting("postprocessor", "metric", 'Name of the metric: "squad" or "cmrc".')

    def build(self, input_shape: Any = None) -> None:
        """Creates the weights of the head."""
        self.answer_span.build((None, None, self.config.hidden_size))

    def call(self, inputs: dict, training: bool | None = None) -> dict:
        """The encoder's inputs, int32 [W, S], to {"start_logits", "end_logits"}, float32 [W, S] each."""
        outputs = self.encoder(inputs, training=training)
        sequence = self.encoder.head_vectors(outputs[features.SEQUENCE_OUTPUT])  # [W, S, D]
        scores = ops.cast(self.answer_span(sequence), "float32")  # [W, S, 2]
        outputs = {START: scores[..., 0], END: scores[..., 1]}
        return self.outputs_to_teach(outputs, inputs) if training else outputs

    def outputs_to_teach(self, outputs: dict, inputs: dict) -> dict:
        """Scores of -1e9 at positions of the question and of padding, where no answer is looked for."""
        segments = inputs[features.SEGMENT_IDS]
        rivals = (segments == 1) | (ops.arange(ops.shape(segments)[1]) == 0)  # [W, S]
        return {name: ops.where(rivals, scores, NEVER) for name, scores in outputs.items()}

    def compile(
        self, optimizer: Any = None, loss: Any = None, metrics: Any = None, loss_weights: Any = None, **kwargs: Any
    ) -> None:
        """As `Task.compile`; the loss is the mean of the losses of the first and of the last token.

        One loss, or a list of metrics, is for both tokens.
        """
        if loss is not None and not isinstance(loss, dict):
            loss = dict.fromkeys((START, END), loss)
        if isinstance(metrics, list | tuple):
            metrics = {name: list(metrics) for name in (START, END)}
        super().compile(optimizer, loss, metrics, loss_weights=loss_weights or {START: 0.5, END: 0.5}, **kwargs)

    def default_loss(self) -> dict:
        """Cross-entropy over the positions of a row, for the first and for the last token."""
        loss = keras.losses.SparseCategoricalCrossentropy
        return {name: GlobalMean(loss(from_logits=True)) for name in (START, END)}

    def default_metrics(self) -> dict:
        """Accuracy of the first and of the last token."""
        return {name: ["accuracy"] for name in (START, END)}

    # Texts in, answers out.

    def serve(self, *texts: tf.Tensor) -> dict[str, tf.Tensor]:
        """Decoded answers to questions and contexts [N], with "answer" [N]: its text, "" for none."""
        found = super().serve(*texts)
        starts, ends = found["start"][:, tf.newaxis], found["end"][:, tf.newaxis]
        return {"answer": substrings(texts[1], starts, ends)[:, 0]} | found

    def predict_text(self, texts: Any, batch_size: int = 32) -> list[dict]:
        """One dict per question: {"answer", "start", "end", "score", "null_difference", "candidates"}.

        Candidates are dicts of "answer", "start", "end" and "score", the best first; "start" and "end" count
        characters of the context.
        """
        return super().predict_text(texts, batch_size)

    # Folders.

    def task_settings(self) -> dict:
        """As `Task.task_settings`, with `SETTINGS`."""
        return super().task_settings() | {name: getattr(self, name) for name in self.SETTINGS}

    @classmethod
    def saved_settings(cls, task: dict, source: Any) -> dict:
        """As `Task.saved_settings`, with `SETTINGS`."""
        return super().saved_settings(task, source) | select(task, cls.SETTINGS)
