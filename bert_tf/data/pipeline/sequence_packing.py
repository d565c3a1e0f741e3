"""Packs several examples into each row, so that a batch has hardly any padding (Krell et al. 2021)."""

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from bert_tf.core.features import (
    CLS_POSITIONS,
    EXAMPLE_IDS,
    INPUT_IDS,
    INPUT_MASK,
    MASKED_LM_IDS,
    MASKED_LM_POSITIONS,
    MASKED_LM_WEIGHTS,
    NEXT_SENTENCE_LABELS,
    POSITION_IDS,
    SEGMENT_IDS,
)

# Legend: M examples, B rows, S example length, R row length, P predictions of an example, E examples of a row.


def best_fit(lengths: npt.ArrayLike, row_length: int) -> np.ndarray:
    """Best-fit decreasing: each example goes to the fullest row that has room for it.

    Rows with the same room are equivalent, so that all examples of one length are placed by a few array operations.

    Args:
        lengths: int [M], falling, none above `row_length`.

    Returns:
        int64 [M], the row of each example; rows are numbered from 0.
    """
    row_of = np.empty(len(lengths), np.int64)
    with_room = [np.empty(0, np.int64) for _ in range(row_length + 1)]  # rows by the room left in them
    rows = 0
    sizes, firsts, counts = np.unique(-np.asarray(lengths), return_index=True, return_counts=True)
    for size, place, left in zip(-sizes, firsts, counts, strict=True):
        while left:
            room = next((room for room in range(size, row_length) if len(with_room[room])), row_length)
            each = room // size  # the fullest row stays the fullest one, and is filled up
            wanted = -(-left // each)
            if room == row_length:
                with_room[room] = np.arange(rows, rows + wanted)
                rows += wanted
            used, with_room[room] = np.split(with_room[room], [wanted])
            placed = min(left, len(used) * each)
            row_of[place : place + placed] = np.repeat(used, each)[:placed]
            full, rest = divmod(placed, each)
            with_room[room - each * size] = np.append(with_room[room - each * size], used[:full])
            if rest:
                with_room[room - rest * size] = np.append(with_room[room - rest * size], used[full:])
            place, left = place + placed, left - placed
    return row_of


def pack_features(
    features: dict[str, tf.Tensor], counts: tf.Tensor, row_length: int, predictions: int, examples: int
) -> dict[str, tf.Tensor]:
    """Lays examples out in rows.

    Args:
        features: `{name: [M, ...]}` of masked examples, those of a row next to each other.
        counts: int32 [B], examples in each row.
        row_length, predictions, examples: R and the most predictions and examples in a row, the widths of the result.

    Returns:
        input_ids, input_mask, segment_ids, position_ids, example_ids [B, R]; masked_lm_* [B, predictions];
        cls_positions [B, examples] and, if there are labels, next_sentence_labels [B, examples].
    """
    row = tf.repeat(tf.range(tf.size(counts)), counts)  # [M]
    real = features[INPUT_MASK] == 1  # [M, S]
    lengths = tf.reduce_sum(features[INPUT_MASK], 1)  # [M]
    offset = _within_row(tf.cumsum(lengths, exclusive=True), counts)  # [M] start of an example in its row
    number = _within_row(tf.range(tf.size(row)), counts)  # [M] number of an example in its row

    def spread(values, where, width):
        """The values of examples that `where` selects (None: one value each), concatenated in each row: [B, width]."""
        if where is None:
            return tf.RaggedTensor.from_value_rowids(values, row, tf.size(counts)).to_tensor(shape=[None, width])
        values = tf.boolean_mask(tf.broadcast_to(values, tf.shape(where)), where)
        rows = tf.repeat(row, tf.reduce_sum(tf.cast(where, tf.int32), 1))
        return tf.RaggedTensor.from_value_rowids(values, rows, tf.size(counts)).to_tensor(shape=[None, width])

    packed = {name: spread(features[name], real, row_length) for name in (INPUT_IDS, INPUT_MASK, SEGMENT_IDS)}
    packed[POSITION_IDS] = spread(tf.range(tf.shape(real)[1]), real, row_length)
    packed[EXAMPLE_IDS] = spread(number[:, None] + 1, real, row_length)
    predicted = features[MASKED_LM_WEIGHTS] > 0  # [M, P]
    positions = features[MASKED_LM_POSITIONS] + offset[:, None]
    packed[MASKED_LM_POSITIONS] = spread(positions, predicted, predictions)
    packed |= {name: spread(features[name], predicted, predictions) for name in (MASKED_LM_IDS, MASKED_LM_WEIGHTS)}
    packed[CLS_POSITIONS] = spread(offset, None, examples)
    if NEXT_SENTENCE_LABELS in features:
        packed[NEXT_SENTENCE_LABELS] = spread(features[NEXT_SENTENCE_LABELS][:, 0], None, examples)
    return packed


def _within_row(values, counts):
    """Values [M] that rise over all examples, minus the value of the first example of the row."""
    first = tf.gather(values, tf.cumsum(counts, exclusive=True))
    return values - tf.repeat(first, counts)
