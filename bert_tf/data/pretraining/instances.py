"""Cuts tokenized documents into pretraining instances: next sentence, sentence order, or full sentences."""

import bisect
import dataclasses
import itertools
import random
from collections.abc import Iterable, Sequence

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
from bert_tf.text.tokenizers.base import Tokenizer

# Legend: T tokens of a block, N instances, S row length.


@dataclasses.dataclass(frozen=True)
class Block:
    """Tokenized text: token ids in one array, cut into sentences, and the sentences into parts of documents.

    A part is a document, or a section of one that was too long to be held in memory at once.
    """

    tokens: np.ndarray  # int32 [T]
    sentence_lengths: np.ndarray  # int32 [sentences], in tokens, each at least 1
    part_lengths: np.ndarray  # int32 [parts], in sentences, each at least 1
    documents: np.ndarray  # int64 [parts], the document of each part

    @classmethod
    def join(cls, blocks: Sequence["Block"]) -> "Block":
        fields = (field.name for field in dataclasses.fields(cls))
        return cls(**{name: np.concatenate([getattr(block, name) for block in blocks]) for name in fields})

    @property
    def bounds(self) -> np.ndarray:
        """Bounds of the sentences in `tokens`, int64 [sentences + 1]."""
        return np.concatenate([[0], np.cumsum(self.sentence_lengths)])

    @property
    def part_bounds(self) -> np.ndarray:
        """Bounds of the parts in the sentences, int64 [parts + 1]."""
        return np.concatenate([[0], np.cumsum(self.part_lengths)])


def make_spans(
    block: Block, objective: str | None, room: int, short_seq_prob: float, seed: int, donors: int = 0
) -> np.ndarray:
    """Chooses the segments of each instance, before truncation.

    Args:
        block: the source of all instances, random next sentences included.
        objective: as in `RecordsConfig`.
        room: tokens that an instance has room for, without special tokens.
        short_seq_prob: share of instances that aim at a random shorter length. It is drawn for every instance;
            Google's script draws it once a document, which for books is all or nothing.
        seed: seed of `random.Random`.
        donors: how many of the last parts of the block are used for random next sentences only.

    Returns:
        int64 [N, 5]: begin and end of the first and of the second segment in `block.tokens`, and the label.
        For "none" and "full_sentences" the second segment is empty.
    """
    draw = random.Random(seed)
    bounds, parts = block.bounds.tolist(), block.part_bounds[: len(block.documents) - donors + 1].tolist()

    def target():
        return draw.randint(2, room) if draw.random() < short_seq_prob else room

    spans: list = []
    if objective == "full_sentences":
        spans += _runs(bounds, 0, parts[-1], target, room)
    elif objective == "none":
        for first, last in itertools.pairwise(parts):
            spans += _runs(bounds, first, last, target, room)
    else:
        others = _OtherDocuments(block, draw) if objective == "next_sentence" else None
        coin = _balanced_coin(draw)
        for part, (first, last) in enumerate(itertools.pairwise(parts)):
            spans += _pairs(bounds, first, last, target, draw, coin, others and others.chooser(part))
    return np.array(spans, np.int64).reshape(-1, 5)


def with_separators(block: Block, separator: int) -> Block:
    """The block with the token `separator` at the end of each document but the last, as part of its last sentence."""
    ends = np.flatnonzero(np.diff(block.documents))  # parts after which another document begins
    sentences = block.part_bounds[ends + 1] - 1
    lengths = block.sentence_lengths.copy()
    lengths[sentences] += 1
    tokens = np.insert(block.tokens, block.bounds[sentences + 1], separator)
    return dataclasses.replace(block, tokens=tokens, sentence_lengths=lengths)


def make_rows(
    tokens: np.ndarray, spans: np.ndarray, max_length: int, tokenizer: Tokenizer, seed: int | Iterable[int]
) -> dict[str, np.ndarray]:
    """Truncates the segments of each span and lays them out as the tokenizer joins segments.

    The longer segment loses tokens until both fit, each from its front or its back by the toss of a coin
    (`truncate_seq_pair` of google-research/bert, in closed form).

    Args:
        tokens: int [T].
        spans: int64 [N, 5], as `make_spans` returns them.
        max_length: S.
        tokenizer: the `Tokenizer` that `tokens` come from.
        seed: seed of `numpy.random.default_rng`.

    Returns:
        A dict of input_ids, input_mask and segment_ids, int32 [N, S], and next_sentence_labels, int32 [N, 1].
    """
    generator = np.random.default_rng(seed)
    begin_a, end_a, begin_b, end_b, labels = spans.T
    pair = (end_b > begin_b).astype(np.int64)
    room = max_length - tokenizer.num_added(1 + pair)
    keep_a, keep_b = _truncated(end_a - begin_a, end_b - begin_b, room)
    begin_a = begin_a + generator.binomial(end_a - begin_a - keep_a, 0.5)
    begin_b = begin_b + generator.binomial(end_b - begin_b - keep_b, 0.5)

    # The layout of `Tokenizer.join`, by array operations because they are several times as fast.
    separators = tokenizer.num_added(2) - tokenizer.num_added(1)
    place = np.arange(max_length)[None]  # [1, S]
    end_first = (1 + keep_a)[:, None]  # [N, 1]
    begin_second = end_first + separators
    total = (keep_a + keep_b + tokenizer.num_added(1 + pair))[:, None]
    in_second, real = place >= begin_second, place < total  # [N, S]
    source = place + np.where(in_second, begin_b[:, None] - begin_second, begin_a[:, None] - 1)
    ids = tokens[np.clip(source, 0, len(tokens) - 1)]
    ids[:, 0] = tokenizer.cls_id
    ids[((place >= end_first) & ~in_second) | (place == total - 1)] = tokenizer.sep_id
    return {
        INPUT_IDS: np.where(real, ids, tokenizer.pad_id).astype(np.int32),
        INPUT_MASK: real.astype(np.int32),
        SEGMENT_IDS: (in_second & real).astype(np.int32),
        NEXT_SENTENCE_LABELS: labels[:, None].astype(np.int32),
    }


def _truncated(a, b, room):
    """Lengths left when the longer of two segments, the second if they are equal, loses one token at a time."""
    excess = np.maximum(a + b - room, 0)
    difference = np.minimum(np.abs(a - b), excess)  # lost by the longer one only
    a, b, rest = a - difference * (a > b), b - difference * (b > a), excess - difference
    return a - rest // 2, b - (rest + 1) // 2


def _pairs(bounds, first, last, target, draw, coin, choose_other):
    """Pairs from sentences `first` to `last` of one part.

    `choose_other` gives random second segments; where it is None, the two segments are swapped instead.
    """
    spans = []
    if last - first < 2:  # no next sentence: this one is only used as a random second of others
        return spans
    start = first
    while start < last:
        wanted = target()
        end = min(bisect.bisect_left(bounds, bounds[start] + wanted, start + 1, last), last)
        changed = next(coin)
        if end - start == 1 and not (changed and choose_other):
            # Google's script makes every such pair random, which is no longer half of them. Add the true neighbour.
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
    """Runs of whole sentences that fit a row; only a sentence too long for any row is cut."""
    position, stop = bounds[first], bounds[last]
    while position < stop:
        end = bounds[bisect.bisect_right(bounds, position + target(), first, last + 1) - 1]
        if end <= position:
            sentence_end = bounds[bisect.bisect_right(bounds, position, first, last)]
            end = min(sentence_end, position + room)
        yield position, end, end, end, IS_NEXT
        position = end


def _balanced_coin(draw, size=64):
    """Tosses of which exactly half are true in every `size`, in random order, so that small corpora get 50 % too."""
    while True:
        tosses = [True, False] * (size // 2)
        draw.shuffle(tosses)
        yield from tosses


class _OtherDocuments:
    """Draws consecutive sentences from a part of another document, each such part with the same probability."""

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
            """Begin and end in `tokens` of whole sentences: `length` tokens or more, or up to the part's end."""
            place = int(self.draw.random() * elsewhere)
            other = self.by_document[place if place < begin else place + end - begin]
            first, last = self.parts[other], self.parts[other + 1]
            start = self.draw.randint(first, last - 1)
            stop = bisect.bisect_left(self.bounds, self.bounds[start] + length, start + 1, last)
            return self.bounds[start], self.bounds[min(stop, last)]

        return choose
