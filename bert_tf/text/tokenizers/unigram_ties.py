"""Repeated pieces in the order in which SentencePiece takes them.

Of "......" and "..." in a run of nine dots either may come first: both orders have one score, and rounding decides.
tensorflow-text's op sums up otherwise than SentencePiece does today, which keeps the best score of each place in the
text as float32. Only runs of pieces that repeat one string are looked at again, the way that SentencePiece does it.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

# Legend: P pieces, G strings that several pieces repeat, J at most so many pieces of each, N texts, T tokens, R runs.


@dataclasses.dataclass(frozen=True)
class Repeats:
    """Pieces that repeat one string, as tables."""

    group: np.ndarray  # int32 [P], the string that a piece repeats; -1 where no other piece repeats it
    times: np.ndarray  # int32 [P], how often
    members: np.ndarray  # int32 [G, J], the pieces of a string, the longest first; -1 after them

    @classmethod
    def of(cls, pieces: Mapping[int, str], size: int) -> "Repeats":
        """The repeats among pieces by number, of `size` pieces."""
        found: dict[str, list[int]] = {}
        group, times = np.full(size, -1, np.int32), np.zeros(size, np.int32)
        for number, piece in pieces.items():
            unit = piece[: (piece + piece).find(piece, 1)]
            times[number] = len(piece) // len(unit)
            found.setdefault(unit, []).append(number)
        several = [numbers for numbers in found.values() if len(numbers) > 1]
        members = np.full((max(len(several), 1), max(map(len, several), default=1)), -1, np.int32)
        for g, numbers in enumerate(several):
            group[numbers] = g
            members[g, : len(numbers)] = sorted(numbers, key=lambda number: -times[number])
        return cls(group, times, members)


class Ties:
    """Settles the order of repeated pieces; TensorFlow ops only.

    Args:
        pieces: those that texts are made of, by number.
        scores: float32 [P], the score of each piece, for the unknown one of each character.
        unknown: the number of the piece of unknown characters.
    """

    def __init__(self, pieces: Mapping[int, str], scores: np.ndarray, unknown: int):
        self._repeats, self._scores, self._unknown = Repeats.of(pieces, len(scores)), scores, unknown

    def settle(
        self, pieces: tf.RaggedTensor, lengths: Callable[[], tf.Tensor], places: tf.Tensor
    ) -> tuple[tf.RaggedTensor, tf.Tensor]:
        """Pieces of texts in SentencePiece's order, and the places that they come from.

        Args:
            pieces: int32 [N, (T)], as the op gives them.
            lengths: returns the characters of each piece, int32 [T]; called only where it is needed.
            places: start and end of each piece, int64 [T, 2].
        """
        group = tf.gather(tf.constant(self._repeats.group), pieces.values)
        times = tf.gather(tf.constant(self._repeats.times), pieces.values)
        row = pieces.value_rowids()
        follows = (group[1:] == group[:-1]) & (group[1:] >= 0) & (row[1:] == row[:-1])
        follows = tf.concat([tf.zeros_like(row[:1], tf.bool), follows], 0)  # the piece continues a run
        mixed = follows & (times != tf.roll(times, 1, 0))
        run = tf.cumsum(tf.cast(~follows, tf.int64)) - 1  # [T]
        return tf.cond(
            tf.reduce_any(mixed),
            lambda: self._settle(pieces, lengths(), places, group, times, run, mixed),
            lambda: (pieces, places),
        )

    def _settle(self, pieces, lengths, places, group, times, run, mixed):
        runs = tf.RaggedTensor.from_value_rowids(pieces.values, run, validate=False)  # [all runs, (pieces)]
        chosen = tf.where(tf.math.segment_max(tf.cast(mixed, tf.int32), run) > 0)[:, 0]  # [R]
        first, last = tf.gather(runs.row_starts(), chosen), tf.gather(runs.row_limits(), chosen) - 1
        size = tf.gather(tf.math.segment_sum(times, run), chosen)  # [R] units
        before = tf.gather(self._score_before(pieces, lengths), first)
        new = self._best(tf.gather(group, first), size, before)  # [R, (pieces)]
        # Units of a run share its place in the text evenly.
        begin, end = tf.gather(places[:, 0], first), tf.gather(places[:, 1], last)
        new_times = tf.cast(tf.gather(tf.constant(self._repeats.times), new.values), tf.int64)
        of_new = new.value_rowids()
        until = tf.cumsum(new_times) - tf.gather(tf.cumsum(tf.cast(size, tf.int64), exclusive=True), of_new)
        width, units = tf.gather(end - begin, of_new), tf.cast(tf.gather(size, of_new), tf.int64)
        starts = (until - new_times) * width // units
        ends = -(-until * width // units)
        new_places = tf.gather(begin, of_new)[:, tf.newaxis] + tf.stack([starts, ends], 1)
        # The runs in their order, the chosen ones from `new`.
        count = runs.nrows()
        index = tf.tensor_scatter_nd_update(tf.range(count), chosen[:, tf.newaxis], count + tf.range(new.nrows()))
        pool = tf.concat([runs, new], 0)
        settled = tf.gather(pool, index)
        settled_places = tf.gather(pool.with_values(tf.concat([places, new_places], 0)), index).values
        first_runs = tf.gather(tf.concat([run, [count]], 0), pieces.row_splits)
        splits = tf.gather(settled.row_splits, first_runs)
        return tf.RaggedTensor.from_row_splits(settled.values, splits, validate=False), settled_places

    def _score_before(self, pieces, lengths):
        """The score of the text before each piece, float32 [T], summed up from left to right."""
        scores = tf.gather(tf.constant(self._scores), pieces.values)
        # Each character of unknown pieces has the score of one.
        repeats = tf.where(pieces.values == self._unknown, lengths, 1)
        splits = tf.gather(tf.concat([[0], tf.cumsum(repeats)], 0), pieces.row_splits)
        single = tf.RaggedTensor.from_row_splits(tf.repeat(scores, repeats), splits, validate=False)
        padded = single.to_tensor()  # [N, characters]
        sums = tf.RaggedTensor.from_tensor(tf.cumsum(padded, 1, exclusive=True), lengths=single.row_lengths()).values
        return tf.gather(sums, tf.cumsum(repeats, exclusive=True))

    def _best(self, group, size, before):
        """The best pieces of runs [R] that are `size` units long and have a score before them: [R, (pieces)]."""
        members = tf.gather(tf.constant(self._repeats.members), group)  # [R, J]
        times = tf.where(members < 0, 0, tf.gather(tf.constant(self._repeats.times), tf.maximum(members, 0)))
        scores = tf.gather(tf.constant(self._scores), tf.maximum(members, 0))
        longest = tf.reduce_max(size)
        unset = tf.constant(-np.inf, tf.float32)
        best = tf.TensorArray(tf.float32, longest + 1, clear_after_read=False).write(0, before)
        last = tf.TensorArray(tf.int32, longest + 1, clear_after_read=False).write(0, tf.zeros_like(size))

        def step(k, best, last):
            found, member = tf.fill(tf.shape(size), unset), tf.fill(tf.shape(size), -1)
            so_far = tf.transpose(best.gather(tf.range(k)))  # [R, k]
            for j in range(members.shape[1]):  # the longest piece begins first, and the first of equals stays
                start = k - times[:, j]
                possible = (times[:, j] > 0) & (start >= 0)
                from_start = tf.gather(so_far, tf.clip_by_value(start, 0, k - 1), batch_dims=1)
                score = from_start + scores[:, j]
                better = possible & (score > found)
                found = tf.where(better, score, found)
                member = tf.where(better, members[:, j], member)
            return k + 1, best.write(k, found), last.write(k, member)

        _, _, last = tf.while_loop(lambda k, *_: k <= longest, step, (1, best, last))
        last = tf.transpose(last.stack())  # [R, units + 1]

        def back(i, place, taken):
            piece = tf.gather(last, place, batch_dims=1)
            piece = tf.where(place > 0, piece, -1)
            length = tf.where(piece >= 0, tf.gather(tf.constant(self._repeats.times), tf.maximum(piece, 0)), 0)
            return i + 1, place - length, taken.write(i, piece)

        taken = tf.TensorArray(tf.int32, 0, dynamic_size=True)
        _, _, taken = tf.while_loop(lambda i, place, _: tf.reduce_any(place > 0), back, (0, size, taken))
        backwards = tf.reverse(tf.transpose(taken.stack()), [1])  # [R, pieces]
        is_piece = backwards >= 0
        counts = tf.reduce_sum(tf.cast(is_piece, tf.int64), 1)
        return tf.RaggedTensor.from_row_lengths(tf.boolean_mask(backwards, is_piece), counts, validate=False)
