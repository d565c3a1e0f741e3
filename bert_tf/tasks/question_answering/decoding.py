"""Decodes the best spans over all windows of a context from scores of first and last tokens, in the graph."""

from typing import Any

import tensorflow as tf

from bert_tf.tasks.base import windows

# N questions, W windows, S sequence, L longest answer, K candidates

START, END = "start_logits", "end_logits"  # the outputs of the model, float32 [W, S] each
# The places of the context in the rows, each int32 [W, S].
MAY_BEGIN = "may_begin"  # 1 where an answer may begin in this window
CONTEXT_STARTS = "context_starts"  # the first character of a token of the context
CONTEXT_ENDS = "context_ends"  # the character after its last; 0 outside the context

NEVER = -1e9  # the score of an impossible answer


def best_spans(
    starts: tf.Tensor, ends: tf.Tensor, inputs: dict, max_length: int, n_best: int, null_threshold: float | None
) -> dict[str, tf.Tensor]:
    """The best answers to N questions, as `QuestionAnsweringPostprocessor.__call__` documents them.

    Args:
        starts, ends: scores of each token as the first and as the last token of the answer, float32 [W, S].
        inputs: the question number of each window, and the places of the context in the rows.
        max_length: most tokens of an answer, L.
        n_best: number of candidates, K.
        null_threshold: margin by which the null score must exceed the best answer's; None: there is always an answer.
    """
    count = windows.number_of_texts(inputs)
    of_windows = _spans_of_windows(starts, ends, inputs, max_length, n_best)
    places = {name: _join_windows(value, inputs, count) for name, value in of_windows.items()}  # [N, windows * K]
    scores, order = tf.math.top_k(places["score"], tf.minimum(n_best, tf.shape(places["score"])[1]))
    first = tf.gather(places["start"], order, batch_dims=1)  # [N, K]
    end = tf.gather(places["end"], order, batch_dims=1)  # [N, K]
    possible = scores > NEVER / 2
    # As in run_squad.py: the null score of a context is the lowest over its windows, because one window that seems to
    # hold the answer is enough.
    null = tf.math.segment_min(starts[:, 0] + ends[:, 0], inputs[windows.WINDOW_TEXTS])  # [N]
    best = scores[:, 0]
    refused = ~possible[:, 0]
    rivals = scores
    if null_threshold is not None:
        refused |= null - best > null_threshold
        rivals = tf.concat([scores, null[:, tf.newaxis]], 1)
    probabilities = tf.nn.softmax(rivals)[:, : tf.shape(scores)[1]] * tf.cast(possible, tf.float32)
    given = tf.cast(~refused, tf.int32)
    sure = probabilities[:, 0]
    return {
        "start": first[:, 0] * given,
        "end": end[:, 0] * given,
        "score": tf.where(refused, 1 - tf.reduce_sum(probabilities, 1), sure),
        "null_difference": null - best,
        "candidate_starts": first * tf.cast(possible, tf.int32),
        "candidate_ends": end * tf.cast(possible, tf.int32),
        "candidate_scores": probabilities,
    }


def _spans_of_windows(
    starts: tf.Tensor, ends: tf.Tensor, inputs: dict, max_length: int, n_best: int
) -> dict[str, tf.Tensor]:
    """The best spans of each window: {"score", "start", "end"} [W, K]; impossible spans score `NEVER`."""
    width = tf.shape(starts)[1]
    starts = tf.where(inputs[MAY_BEGIN] > 0, starts, NEVER)
    ends = tf.where(inputs[CONTEXT_ENDS] > 0, ends, NEVER)
    # Position s of the frames holds the scores of the last tokens s, s + 1, ..., s + L - 1: [W, S, L].
    ends = tf.signal.frame(tf.pad(ends, [[0, 0], [0, max_length - 1]], constant_values=NEVER), max_length, 1)
    spans = tf.reshape(starts[:, :, tf.newaxis] + ends, [-1, width * max_length])  # [W, S * L]
    scores, chosen = tf.math.top_k(spans, tf.minimum(n_best, width * max_length))
    first = chosen // max_length
    last = tf.minimum(first + chosen % max_length, width - 1)
    return {
        "score": tf.maximum(scores, NEVER),
        "start": tf.gather(inputs[CONTEXT_STARTS], first, batch_dims=1),
        "end": tf.gather(inputs[CONTEXT_ENDS], last, batch_dims=1),
    }


def _join_windows(values: tf.Tensor, inputs: dict, count: Any) -> tf.Tensor:
    """Concatenates the values of each text's windows, [W, K] to [N, most windows * K]; `NEVER` or 0 as padding."""
    rows = tf.repeat(inputs[windows.WINDOW_TEXTS], tf.shape(values)[1])
    ragged = tf.RaggedTensor.from_value_rowids(tf.reshape(values, [-1]), rows, count, validate=False)
    padding = tf.cast(NEVER, values.dtype) if values.dtype.is_floating else 0
    return ragged.to_tensor(padding)
