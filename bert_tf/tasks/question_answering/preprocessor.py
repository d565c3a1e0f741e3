"""Questions on contexts, and answers, to windows of the contexts."""

from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.tasks.base.batching import select
from bert_tf.tasks.base.raw_inputs import as_list, as_python
from bert_tf.tasks.base.windowed_task import WindowedPreprocessor
from bert_tf.tasks.question_answering.decoding import CONTEXT_ENDS, CONTEXT_STARTS, END, MAY_BEGIN, START
from bert_tf.tasks.question_answering.targets import first_span, read_answers

# N questions, W windows, S positions of a row


class QuestionAnsweringPreprocessor(WindowedPreprocessor):
    """Each window of a context comes after its question, of which at most `max_question_length` tokens are read."""

    def __init__(self, spec: Any, tokenizer: Any, max_length: int, stride: int | None, max_question_length: int):
        super().__init__(spec, tokenizer, max_length, stride)
        self.max_question_length = max_question_length

    def encode_examples(self, texts: Any, targets: Any) -> tuple:
        """As `Preprocessor.encode_examples`; an answer that is not at its place raises `InputError` with its row."""
        encoded, spans = super().encode_examples(texts, targets)
        for row, (context, answers) in enumerate(zip(as_python(encoded[1]), as_list(targets), strict=True)):
            read_answers(answers, row, context)
        return encoded, spans

    def encode_targets(self, targets: Any) -> tuple:
        """Lists of answers to the span of the first of each, in characters: (starts, ends), int32 [N]; -1 for none.

        Raises:
            InputError: a target is not a list of answers; names its row.
        """
        targets = as_list(targets)
        spans = np.zeros((len(targets), 2), "int32")
        for row, answers in enumerate(targets):
            spans[row] = first_span(read_answers(answers, row))
        return tf.constant(spans[:, 0]), tf.constant(spans[:, 1])

    def blank_targets(self, texts: tuple) -> tuple:
        """No answer for each of N questions: (starts, ends), int32 [N], all -1."""
        none = tf.fill(tf.shape(texts[0]), -1)
        return none, none

    def __call__(self, texts: Any, length: int | None = None) -> dict:
        """Questions and contexts, string [N], to the inputs of W windows.

        Beside the encoder's inputs they have the places of the context, "may_begin", "context_starts" and
        "context_ends", int32 [W, S].
        """
        return self._to_windows(texts, length)[0]

    def _to_windows(self, texts: tuple, length: int | None = None) -> tuple:
        """(inputs, `Windows`, starts and ends of all contexts' tokens in characters, ragged [N, (tokens)])."""
        questions, contexts = texts
        limit = min(self.max_question_length, (self.max_length - self.tokenizer.num_added(2)) // 2)
        ids, starts, ends = self.tokenizer.with_offsets(contexts)
        inputs, cut = self.make_windows([self.tokenizer(questions)[:, :limit]], ids, length)
        width = tf.shape(inputs[features.INPUT_IDS])[1]
        places = {
            MAY_BEGIN: cut.place(cut.max_context_mask(), width),
            CONTEXT_STARTS: cut.place(cut.take(starts), width),
            CONTEXT_ENDS: cut.place(cut.take(ends), width),
        }
        return inputs | places, cut, starts, ends

    def token_places(self, inputs: dict) -> dict:
        """The places of the context, counted in tokens of the row, int32 [W, S] each."""
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

    def to_batch(self, texts: tuple, targets: tuple, weights: Any = None) -> tuple:
        """(inputs, positions): the first and the last token of the answer in each window, int32 [W] each.

        With weights of questions, float32 [N], those of both positions in each window too, float32 [W] each.

        Both are 0, the position of [CLS], in windows that do not contain the whole answer.
        """
        inputs, cut, starts, ends = self._to_windows(texts)
        begin = tf.cast(targets[0], starts.dtype)[:, tf.newaxis]  # [N, 1], characters
        end = tf.cast(targets[1], starts.dtype)[:, tf.newaxis]
        # Tokens that end before the answer come before its first; tokens that start before its end, up to its last.
        first = tf.reduce_sum(tf.cast(ends <= begin, tf.int64), 1)
        last = tf.reduce_sum(tf.cast(starts < end, tf.int64), 1) - 1
        first, last = tf.gather(first, cut.texts), tf.gather(last, cut.texts)  # [W], tokens of the context
        inside = (first <= last) & (cut.starts <= first) & (last < cut.ends)

        def position(token: tf.Tensor) -> tf.Tensor:
            """The position in its window's row of a token of the context, int32 [W]."""
            return tf.cast(tf.where(inside, cut.before + token - cut.starts, 0), tf.int32)

        batch = select(inputs, features.ENCODER_INPUTS), {START: position(first), END: position(last)}
        return batch if weights is None else (*batch, dict.fromkeys((START, END), tf.gather(weights, cut.texts)))
