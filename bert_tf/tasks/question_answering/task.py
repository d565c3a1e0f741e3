"""Answers to questions as spans of a context (Devlin et al. 2019, sections 4.2 and 4.3)."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.modeling.train_step import global_mean
from bert_tf.tasks.base.substrings import substrings
from bert_tf.tasks.base.windowed_task import WindowedTask
from bert_tf.tasks.question_answering import SPEC, metrics
from bert_tf.tasks.question_answering.decoding import END, NEVER, START
from bert_tf.tasks.question_answering.postprocessor import QuestionAnsweringPostprocessor
from bert_tf.tasks.question_answering.preprocessor import QuestionAnsweringPreprocessor

# N questions, W windows, S sequence, K candidates


class QuestionAnswerer(WindowedTask):
    """Two dense scores per token: the encoder's inputs to {"start_logits", "end_logits"}, float32 [W, S] each.

    Contexts of more tokens than a row holds are cut into windows, each behind the question. Learned from every window
    is where the answer stands in it, or [CLS] where it does not; of all windows the best answer counts. Training tells
    apart [CLS] and the context alone: the question and padding, in which no answer is looked for, score -1e9 there.
    Settings are those of google-research/bert, run_squad.py. A target is the `answers` of SQuAD's files, a list of
    {"text", "answer_start"}: the first is learned, all are right in `score`; [] where the context has no answer.

    Args:
        tokenizer: a `Tokenizer`.
        max_length: most tokens of a row; None: 384, or all positions of a smaller encoder.
        stride: tokens from one window to the next; None: half of `max_length`, 128 at most.
        max_question_length: tokens of a question that are read.
        max_answer_length: most tokens of an answer.
        null_threshold: how much higher than the best answer's the score of "no answer" (that of [CLS]) must be to
            win, 0.0 for a start; None: there is always an answer, as in SQuAD 1.1.
        n_best: how many candidates are answered.
        metric: "squad", or "cmrc" for Chinese.
        encoder: the family's name, and the fields of its config.
    """

    SPEC = SPEC
    SCORE = "f1"
    LENGTH = 384
    LOGITS = {START: tf.float32, END: tf.float32}

    SETTINGS = ("max_question_length", "max_answer_length", "null_threshold", "n_best", "metric")

    def __init__(
        self,
        tokenizer,
        max_length=None,
        stride=None,
        max_question_length=64,
        max_answer_length=30,
        null_threshold=None,
        n_best=20,
        metric="squad",
        **encoder,
    ):
        super().__init__(tokenizer, max_length, **encoder)
        if min(max_question_length, max_answer_length, n_best) < 1:
            raise ConfigError(
                f"Received: max_question_length={max_question_length}, max_answer_length={max_answer_length}, "
                f"n_best={n_best}. All must be at least 1."
            )
        if metric not in metrics.METRICS:
            raise ConfigError(f"Received: metric={metric!r}. Metrics: {', '.join(metrics.METRICS)}.")
        self.max_question_length, self.max_answer_length = max_question_length, max_answer_length
        self.null_threshold, self.n_best, self.metric = null_threshold, n_best, metric
        self.preprocessor = QuestionAnsweringPreprocessor(SPEC, tokenizer, self.max_length, stride, max_question_length)
        self.postprocessor = QuestionAnsweringPostprocessor(max_answer_length, null_threshold, n_best, metric)
        self.leave_pooler()
        self.answer_span = self.make_head(2, "answer_span")
        self.build()

    def build(self, input_shape=None):
        self.answer_span.build((None, None, self.config.hidden_size))

    def call(self, inputs, training=None):
        sequence = self.encoder(inputs, training=training)[features.SEQUENCE_OUTPUT]  # [W, S, D]
        scores = ops.cast(self.answer_span(sequence), "float32")  # [W, S, 2]
        if training:
            segments = inputs[features.SEGMENT_IDS]
            rivals = (segments == 1) | (ops.arange(ops.shape(segments)[1]) == 0)
            scores = ops.where(rivals[..., None], scores, NEVER)
        return {START: scores[..., 0], END: scores[..., 1]}

    def compile(self, *args, loss_weights=None, **kwargs):
        """As `Task`'s; the loss is the mean of that of the first token and that of the last."""
        super().compile(*args, loss_weights=loss_weights or {START: 0.5, END: 0.5}, **kwargs)

    def default_loss(self):
        loss = keras.losses.SparseCategoricalCrossentropy
        return {name: global_mean(loss(from_logits=True)) for name in (START, END)}

    def default_metrics(self):
        return {name: ["accuracy"] for name in (START, END)}

    # Texts in, answers out.

    def serve(self, *texts: tf.Tensor) -> dict[str, tf.Tensor]:
        """Decoded answers to questions and contexts [N], with "answer" [N]: its text, "" for none."""
        found = super().serve(*texts)
        places = (found[name][:, tf.newaxis] for name in ("start", "end"))
        return {"answer": substrings(texts[1], *places)[:, 0]} | found

    def predict_text(self, texts: Any, batch_size: int = 32) -> list[dict]:
        """A dict for each question: {"answer", "start", "end", "score", "null_difference", "candidates"}.

        Candidates are such dicts, the best first; places are characters of the context.
        """
        return super().predict_text(texts, batch_size)

    # Folders.

    def task_settings(self):
        return super().task_settings() | {name: getattr(self, name) for name in self.SETTINGS}

    @classmethod
    def saved_settings(cls, task, source):
        return super().saved_settings(task, source) | {name: task[name] for name in cls.SETTINGS if name in task}
