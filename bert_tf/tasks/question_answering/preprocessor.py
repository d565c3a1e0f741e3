"""Questions on contexts, and answers, to windows of the contexts."""

from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.tasks.base.batching import as_python
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
        encoded = super().encode_examples(texts, targets)
        for row, (context, answers) in enumerate(zip(as_python(texts[1]), targets, strict=True)):
            read_answers(answers, row, context)
        return encoded

    def encode_targets(self, targets: Any) -> tuple:
        """Lists of answers to the characters of the first of each, (starts, ends) int32 [N]; -1 where there is none."""
        spans = [first_span(read_answers(answers, row)) for row, answers in enumerate(targets)]
        return tuple(tf.constant(np.array(places, "int32")) for places in zip(*spans, strict=True))

    def __call__(self, texts: Any, length: int | None = None) -> dict:
        """Questions and contexts [N] to the inputs of W windows, with the characters of each token of a context."""
        return self._to_windows(texts, length)[0]

    def _to_windows(self, texts: tuple, length: int | None = None) -> tuple:
        """(inputs, `Windows`, first characters of all contexts' tokens, ends of them)."""
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

    def to_batch(self, texts: tuple, targets: tuple) -> tuple:
        """Inputs, and for each window the positions of the answer's first and last token; 0, [CLS], without it."""
        inputs, cut, starts, ends = self._to_windows(texts)
        begin, end = (tf.cast(place, starts.dtype)[:, tf.newaxis] for place in targets)
        first = tf.reduce_sum(tf.cast(ends <= begin, tf.int64), 1)
        last = tf.reduce_sum(tf.cast(starts < end, tf.int64), 1) - 1
        first, last = tf.gather(first, cut.texts), tf.gather(last, cut.texts)  # [W], tokens of the context
        inside = (first <= last) & (cut.starts <= first) & (last < cut.ends)
        positions = {
            name: tf.cast(tf.where(inside, cut.before + place - cut.starts, 0), tf.int32)
            for name, place in ((START, first), (END, last))
        }
        return {name: inputs[name] for name in features.ENCODER_INPUTS}, positions
