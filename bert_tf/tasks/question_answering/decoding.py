"""Decodes the best spans over all windows of a context from scores of first and last tokens, in the graph."""

import tensorflow as tf

from bert_tf.tasks.base import windows

# N questions, W windows, S sequence, L longest answer, K candidates

START, END = "start_logits", "end_logits"  # the outputs of the model, float32 [W, S] each
# The places of the context in the rows, each int32 [W, S].
MAY_BEGIN = "may_begin"  # 1 where an answer may begin in this window
CONTEXT_STARTS = "context_starts"  # the first character of a token of the context
CONTEXT_ENDS = "context_ends"  # the character after its last; 0 outside the context

NEVER = -1e9  # the score of an impossible answer


def best_spans(starts, ends, inputs, max_length, n_best, null_threshold):
    """The best answers to N questions: {"start", "end", "score", ...} as the postprocessor says.

    Args:
        starts, ends: scores that a token is the first and the last of the answer, float32 [W, S].
        inputs: the number of its question for each window, and where the context stands.
        max_length: most tokens of an answer.
        n_best: how many candidates, K.
        null_threshold: what the null score must exceed the best answer's by; None: no answer never wins.
    """
    count = windows.number_of_texts(inputs)
    of_windows = _spans_of_windows(starts, ends, inputs, max_length, n_best)
    places = {name: _of_texts(value, inputs, count) for name, value in of_windows.items()}  # [N, windows * K]
    scores, order = tf.math.top_k(places["score"], tf.minimum(n_best, tf.shape(places["score"])[1]))
    found = {name: tf.gather(places[name], order, batch_dims=1) for name in ("start", "end")}  # [N, K]
    possible = scores > NEVER / 2
    # As run_squad.py has it: a context has no answer where none of its windows seems to have one.
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
        "start": found["start"][:, 0] * given,
        "end": found["end"][:, 0] * given,
        "score": tf.where(refused, 1 - tf.reduce_sum(probabilities, 1), sure),
        "null_difference": null - best,
        "candidate_starts": found["start"] * tf.cast(possible, tf.int32),
        "candidate_ends": found["end"] * tf.cast(possible, tf.int32),
        "candidate_scores": probabilities,
    }


def _spans_of_windows(starts, ends, inputs, max_length, n_best):
    """The best spans of each window: {"score", "start", "end"} [W, K]; the score of what is no span is `NEVER`."""
    width = tf.shape(starts)[1]
    starts = tf.where(inputs[MAY_BEGIN] > 0, starts, NEVER)
    ends = tf.where(inputs[CONTEXT_ENDS] > 0, ends, NEVER)
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


def _of_texts(values, inputs, count):
    """Values of windows [W, K] side by side for each text: [N, most windows * K]."""
    rows = tf.repeat(inputs[windows.WINDOW_TEXTS], tf.shape(values)[1])
    ragged = tf.RaggedTensor.from_value_rowids(tf.reshape(values, [-1]), rows, count, validate=False)
    return ragged.to_tensor(tf.cast(NEVER, values.dtype) if values.dtype.is_floating else 0)
