"""Answers to questions as stretches of a text (Devlin et al. 2019, sections 4.2 and 4.3)."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.modeling.train_step import global_mean
from bert_tf.tasks.base.substrings import substrings
from bert_tf.tasks.base.windowed_task import WindowedTask
from bert_tf.tasks.question_answering import metrics
from bert_tf.tasks.question_answering.decoding import CONTEXT_ENDS, CONTEXT_STARTS, MAY_BEGIN, NEVER, best_spans
from bert_tf.tasks.question_answering.targets import first_span, read_answers
from bert_tf.tasks.tagging.pretokenized import as_python

# N questions, W windows, S sequence, K candidates

START, END = "start_logits", "end_logits"


class QuestionAnswerer(WindowedTask):
    """Two dense scores a piece: the encoder's inputs to {"start_logits", "end_logits"}, float32 [W, S] each.

    Contexts of more pieces than a row holds are cut into windows, each behind the question. Learned from every window
    is where the answer stands in it, or [CLS] where it does not; of all windows the best answer counts. Training tells
    apart [CLS] and the context alone: the question and padding, in which no answer is looked for, score -1e9 there.
    Settings are those of google-research/bert, run_squad.py. A target is the `answers` of SQuAD's files, a list of
    {"text", "answer_start"}: the first is learned, all are right in `score`; [] where the context has no answer.

    Args:
        tokenizer: a `Tokenizer`.
        max_length: pieces a row at most; None: 384, or all positions of a smaller encoder.
        stride: pieces from one window to the next; None: half of `max_length`, 128 at most.
        max_question_length: pieces of a question that are read.
        max_answer_length: pieces of an answer at most.
        null_threshold: how much higher than the best answer's the score of "no answer" (that of [CLS]) must be to
            win, 0.0 for a start; None: there is always an answer, as in SQuAD 1.1.
        n_best: how many candidates are answered.
        metric: "squad", or "cmrc" for Chinese.
        encoder: the family's name, and the fields of its config.
    """

    TASK = "question_answering"
    TEXTS = ("question", "context")
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
        super().__init__(tokenizer, max_length, stride, **encoder)
        if min(max_question_length, max_answer_length, n_best) < 1:
            raise ConfigError(
                f"Received: max_question_length={max_question_length}, max_answer_length={max_answer_length}, "
                f"n_best={n_best}. All must be at least 1."
            )
        if metric not in metrics.METRICS:
            raise ConfigError(f"Received: metric={metric!r}. Metrics: {', '.join(metrics.METRICS)}.")
        self.max_question_length, self.max_answer_length = max_question_length, max_answer_length
        self.null_threshold, self.n_best, self.metric = null_threshold, n_best, metric
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
        """As `Task`'s; the loss is the mean of that of the first piece and that of the last."""
        super().compile(*args, loss_weights=loss_weights or {START: 0.5, END: 0.5}, **kwargs)

    def default_loss(self):
        loss = keras.losses.SparseCategoricalCrossentropy
        return {name: global_mean(loss(from_logits=True)) for name in (START, END)}

    def default_metrics(self):
        return {name: ["accuracy"] for name in (START, END)}

    # Texts and targets in.

    def encode_pairs(self, texts, targets):
        encoded = super().encode_pairs(texts, targets)
        for row, (context, answers) in enumerate(zip(as_python(texts[1]), targets, strict=True)):
            read_answers(answers, row, context)
        return encoded

    def encode_targets(self, targets):
        """Lists of answers to the characters of the first of each, (starts, ends) int32 [N]; -1 where there is none."""
        spans = [first_span(read_answers(answers, row)) for row, answers in enumerate(targets)]
        return tuple(tf.constant(np.array(places, "int32")) for places in zip(*spans, strict=True))

    def preprocess(self, texts, length=None):
        """Questions and contexts [N] to the inputs of W windows, with the characters of each piece of a context."""
        return self._windows(texts, length)[0]

    def _windows(self, texts, length=None):
        """(inputs, `Windows`, first characters of all contexts' pieces, ends of them)."""
        questions, contexts = texts
        limit = min(self.max_question_length, (self.max_length - self.tokenizer.num_added(2)) // 2)
        ids, starts, ends = self.tokenizer.with_offsets(contexts)
        inputs, cut = self.to_rows([self.tokenizer(questions)[:, :limit]], ids, length)
        width = tf.shape(inputs[features.INPUT_IDS])[1]
        places = {
            MAY_BEGIN: cut.place(cut.max_context_mask(), width),
            CONTEXT_STARTS: cut.place(cut.take(starts), width),
            CONTEXT_ENDS: cut.place(cut.take(ends), width),
        }
        return inputs | places, cut, starts, ends

    def places_in_row(self, inputs):
        """What `preprocess` adds, for rows of pieces alone: places are counted in pieces of the row."""
        ids = inputs[features.INPUT_IDS]
        context = (
            (inputs[features.SEGMENT_IDS] == 1) & (inputs[features.INPUT_MASK] > 0) & (ids != self.tokenizer.sep_id)
        )
        places = tf.range(tf.shape(ids)[1])
        return {
            MAY_BEGIN: tf.cast(context, tf.int32),
            CONTEXT_STARTS: tf.where(context, places, 0),
            CONTEXT_ENDS: tf.where(context, places + 1, 0),
        }

    def to_batch(self, texts, targets):
        """Inputs, and for each window the positions of the answer's first and last piece; [CLS], 0, without it."""
        inputs, cut, starts, ends = self._windows(texts)
        begin, end = (tf.cast(place, starts.dtype)[:, tf.newaxis] for place in targets)
        first = tf.reduce_sum(tf.cast(ends <= begin, tf.int64), 1)
        last = tf.reduce_sum(tf.cast(starts < end, tf.int64), 1) - 1
        first, last = tf.gather(first, cut.texts), tf.gather(last, cut.texts)  # [W], pieces of the context
        inside = (first <= last) & (cut.starts <= first) & (last < cut.ends)
        found = {
            name: tf.cast(tf.where(inside, cut.before + place - cut.starts, 0), tf.int32)
            for name, place in ((START, first), (END, last))
        }
        return {name: inputs[name] for name in features.ENCODER_INPUTS}, found

    # Answers out.

    def postprocess(self, outputs, inputs):
        """Answers in the graph: "start", "end" (characters of the context) and "score", each [N].

        A score is a probability among the candidates, which stand best first in "candidate_starts",
        "candidate_ends" and "candidate_scores" [N, K]. No answer is start = end = 0. "null_difference" [N] is what
        `null_threshold` is compared with.
        """
        return best_spans(
            outputs[START], outputs[END], inputs, self.max_answer_length, self.n_best, self.null_threshold
        )

    def serve(self, *texts):
        """As `postprocess`, with "answer" [N]: the answer as it stands in the context, "" for none."""
        found = super().serve(*texts)
        places = (found[name][:, tf.newaxis] for name in ("start", "end"))
        return {"answer": substrings(texts[1], *places)[:, 0]} | found

    def to_python(self, answer):
        """{"start", "end", "score", "null_difference", "candidates": [{"start", "end", "score"}]}."""
        answer = super().to_python(answer)
        names = ("start", "end", "score")
        rows = zip(*(answer.pop(f"candidate_{name}s") for name in names), strict=True)
        return answer | {"candidates": [dict(zip(names, row, strict=True)) for row in rows if row[1]]}

    def predict_text(self, texts, batch_size=32):
        """A dict a question: {"answer", "start", "end", "score", "null_difference", "candidates"}.

        Candidates are such dicts, the best first; places are characters of the context.
        """
        answers = super().predict_text(texts, batch_size)
        for context, answer in zip(as_python(texts[1]), answers, strict=True):
            for found in (answer, *answer["candidates"]):
                found["answer"] = context[found["start"] : found["end"]]
        return answers

    def score_answers(self, answers, targets):
        """Exact match and F1, in 0 to 1, as the official scripts of SQuAD (or CMRC) have them."""
        right = [[answer["text"] for answer in read_answers(target, row)] for row, target in enumerate(targets)]
        return metrics.METRICS[self.metric]([answer["answer"] for answer in answers], right)

    # Folders.

    def task_settings(self):
        return super().task_settings() | {name: getattr(self, name) for name in self.SETTINGS}

    @classmethod
    def saved_settings(cls, task, source):
        return super().saved_settings(task, source) | {name: task[name] for name in cls.SETTINGS if name in task}
