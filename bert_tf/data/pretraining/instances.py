"""Cuts tokenized documents into pretraining instances: next sentence, sentence order, or full sentences."""

import bisect
import dataclasses
import itertools
import random

import numpy as np

from bert_tf.core.errors import InputError
from bert_tf.core.features import (
    INPUT_IDS,
    INPUT_MASK,
    IS_NEXT,
    IS_RANDOM,
    NEXT_SENTENCE_LABELS,
    SEGMENT_IDS,
)

# Legend: T pieces, N instances, S row length.

OBJECTIVES = ("next_sentence", "sentence_order", "none")


@dataclasses.dataclass(frozen=True)
class Block:
    """Tokenized text: pieces in one array, cut into sentences, the sentences into parts of documents.

    A part is a document, or a stretch of one that was too long to be held in one piece.
    """

    tokens: np.ndarray  # int32 [T]
    sentence_lengths: np.ndarray  # int32 [sentences], each at least 1
    part_lengths: np.ndarray  # int32 [parts], in sentences, each at least 1
    documents: np.ndarray  # int64 [parts], which document each part belongs to

    @classmethod
    def join(cls, blocks):
        fields = (field.name for field in dataclasses.fields(cls))
        return cls(**{name: np.concatenate([getattr(block, name) for block in blocks]) for name in fields})

    @property
    def bounds(self):
        """Where sentences begin and end in `tokens`, int64 [sentences + 1]."""
        return np.concatenate([[0], np.cumsum(self.sentence_lengths)])

    @property
    def part_bounds(self):
        """Where parts begin and end among the sentences, int64 [parts + 1]."""
        return np.concatenate([[0], np.cumsum(self.part_lengths)])


def make_spans(block, objective, max_length, short_seq_prob, seed, guests=0):
    """Chooses what stands in each instance, before truncation.

    Args:
        block: the `Block` that instances, random next sentences included, are taken from.
        objective: one of `OBJECTIVES`.
        max_length: S, special tokens included.
        short_seq_prob: share of instances that aim at a random shorter length. It is drawn for every instance;
            Google's script draws it once a document, which for books is all or nothing.
        seed: what `random.Random` takes.
        guests: how many parts, the last of the block, serve as random seconds only.

    Returns:
        int64 [N, 5]: begin and end of the first and of the second segment in `block.tokens`, and the label.
        For "none" the second segment is empty.
    """
    draw = random.Random(seed)
    bounds, parts = block.bounds.tolist(), block.part_bounds[: len(block.documents) - guests + 1].tolist()
    room = max_length - (2 if objective == "none" else 3)

    def target():
        return draw.randint(2, room) if draw.random() < short_seq_prob else room

    if objective == "none":
        runs = (_runs(bounds, *ends, target, room) for ends in zip(parts, parts[1:], strict=False))
        spans = list(itertools.chain.from_iterable(runs))
    else:
        others = _OtherDocuments(block, draw) if objective == "next_sentence" else None
        coin = _balanced_coin(draw)
        spans = []
        for part, (first, last) in enumerate(zip(parts, parts[1:], strict=False)):
            spans += _pairs(bounds, first, last, target, draw, coin, others and others.chooser(part))
    return np.array(spans, np.int64).reshape(-1, 5)


def make_rows(tokens, spans, max_length, cls_id, sep_id, pad_id, seed):
    """Truncates the segments of each span and lays them out as `[CLS] first [SEP] second [SEP]`.

    The longer segment loses pieces until both fit, each from its front or its back by the toss of a coin
    (`truncate_seq_pair` of google-research/bert, in closed form).

    Returns:
        A dict of input_ids, input_mask and segment_ids, int32 [N, S], and next_sentence_labels, int32 [N, 1].
    """
    generator = np.random.default_rng(seed)
    begin_a, end_a, begin_b, end_b, labels = spans.T
    pair = (end_b > begin_b).astype(np.int64)
    keep_a, keep_b = _truncated(end_a - begin_a, end_b - begin_b, max_length - 2 - pair)
    begin_a = begin_a + generator.binomial(end_a - begin_a - keep_a, 0.5)
    begin_b = begin_b + generator.binomial(end_b - begin_b - keep_b, 0.5)

    place = np.arange(max_length)[None]  # [1, S]
    first, total = (keep_a + 2)[:, None], (keep_a + keep_b + 2 + pair)[:, None]  # [N, 1]
    second = place >= first
    source = place + np.where(second, begin_b[:, None] - first, begin_a[:, None] - 1)
    ids = tokens[np.clip(source, 0, len(tokens) - 1)]
    ids[:, 0] = cls_id
    ids[(place == first - 1) | (place == total - 1)] = sep_id
    real = place < total
    return {
        INPUT_IDS: np.where(real, ids, pad_id).astype(np.int32),
        INPUT_MASK: real.astype(np.int32),
        SEGMENT_IDS: (second & real).astype(np.int32),
        NEXT_SENTENCE_LABELS: labels[:, None].astype(np.int32),
    }


def _truncated(a, b, room):
    """Lengths left when the longer of two segments, the second if they are equal, loses a piece at a time."""
    excess = np.maximum(a + b - room, 0)
    difference = np.minimum(np.abs(a - b), excess)  # what only the longer one loses
    a, b, rest = a - difference * (a > b), b - difference * (b > a), excess - difference
    return a - rest // 2, b - (rest + 1) // 2


def _pairs(bounds, first, last, target, draw, coin, choose_other):
    """Pairs from the sentences `first` to `last` of one part; `choose_other` gives random seconds, None swaps."""
    spans = []
    if last - first < 2:  # nothing comes next: such a sentence serves others as a random second only
        return spans
    start = first
    while start < last:
        wanted = target()
        end = min(bisect.bisect_left(bounds, bounds[start] + wanted, start + 1, last), last)
        changed = next(coin)
        if end - start == 1 and not (changed and choose_other):
            # Google's script makes every such pair random, which tips the balance. Take a true neighbour in.
            start, end = (start, end + 1) if end < last else (start - 1, end)
        middle = start + 1 if end - start <= 2 else draw.randint(start + 1, end - 1)
        a, b = (bounds[start], bounds[middle]), (bounds[middle], bounds[end])
        if changed and choose_other:
            spans.append((*a, *choose_other(wanted - (a[1] - a[0])), IS_RANDOM))
            end = middle  # the unused sentences are put back
        else:
            spans.append((*b, *a, IS_RANDOM) if changed else (*a, *b, IS_NEXT))
        start = end
    return spans


def _runs(bounds, first, last, target, room):
    """Consecutive whole sentences that fit; only a sentence too long for any row is cut."""
    position, stop = bounds[first], bounds[last]
    while position < stop:
        end = bounds[bisect.bisect_right(bounds, position + target(), first, last + 1) - 1]
        if end <= position:
            sentence_end = bounds[bisect.bisect_right(bounds, position, first, last)]
            end = min(sentence_end, position + room)
        yield position, end, end, end, IS_NEXT
        position = end


def _balanced_coin(draw, size=64):
    """Tosses that are half true in every `size`, in random order: 50 % does not wait for large numbers."""
    while True:
        tosses = [True, False] * (size // 2)
        draw.shuffle(tosses)
        yield from tosses


class _OtherDocuments:
    """Draws a stretch of text from a part that belongs to another document, each such part equally likely."""

    def __init__(self, block, draw):
        self.bounds, self.parts, self.draw = block.bounds.tolist(), block.part_bounds.tolist(), draw
        self.by_document = np.argsort(block.documents, kind="stable").tolist()
        ordered = block.documents[self.by_document]
        self.begin = np.searchsorted(ordered, block.documents, side="left").tolist()
        self.end = np.searchsorted(ordered, block.documents, side="right").tolist()

    def chooser(self, part):
        begin, end = self.begin[part], self.end[part]
        elsewhere = len(self.by_document) - (end - begin)
        if not elsewhere:
            raise InputError(
                "Random next sentences must come from another document, but the text is one document. "
                "Put blank lines between documents, or use the objective sentence_order or none."
            )

        def choose(length):
            """Begin and end in `tokens` of whole sentences of at least `length` pieces, or up to the part's end."""
            place = int(self.draw.random() * elsewhere)
            other = self.by_document[place if place < begin else place + end - begin]
            first, last = self.parts[other], self.parts[other + 1]
            start = self.draw.randint(first, last - 1)
            stop = bisect.bisect_left(self.bounds, self.bounds[start] + length, start + 1, last)
            return self.bounds[start], self.bounds[min(stop, last)]

        return choose
