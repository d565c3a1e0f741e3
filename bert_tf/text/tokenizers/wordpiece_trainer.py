"""Word pieces from counted words, by the trainer of the Rust `tokenizers` library, made deterministic."""

import collections
import itertools

from bert_tf.text.tokenizers.vocabulary import CONTINUATION

CHARACTER_COVERAGE = 0.9999  # share of the text whose characters get pieces before any longer piece does
MIN_FREQUENCY = 2  # of a pair of pieces that is joined


def learn_pieces(counts, size, fixed):
    """At most `size` pieces: the `fixed` ones, characters, joined pairs, and rarer characters where room is left.

    Args:
        counts: how often each word stands in the text.
        size: the number of pieces wanted; fewer come back where the text has no more.
        fixed: pieces to begin with, which are not learned.
    """
    frequency = collections.Counter()
    for word, n in counts.items():
        for c in word:
            frequency[c] += n
    inside = {c for word in counts for c in word[1:]}
    # The pieces that each character needs, the most frequent character first.
    falling = sorted(frequency, key=lambda c: (-frequency[c], c))
    needed = {c: [c, CONTINUATION + c] if c in inside else [c] for c in falling}
    common = _common_characters(needed, frequency, size - len(fixed))
    words = [(word, n) for word, n in sorted(counts.items()) if common.issuperset(word)]
    alphabet = sorted(common)
    continued = sorted(piece for c in common for piece in needed[c] if piece != c)
    # The trainer numbers pieces such as ##a as it meets them in a hash table, and breaks ties between pairs by these
    # numbers, so that its results differ from run to run; given beforehand, they have theirs.
    learned = _train(words, alphabet, [*fixed, *continued], size)
    pieces = dict.fromkeys([*fixed, *alphabet, *continued, *learned])
    spare = (piece for c in needed if c not in common for piece in needed[c])
    return list(itertools.islice(itertools.chain(pieces, spare), size))


def _common_characters(needed, frequency, room):
    """The most frequent characters, up to the wanted coverage and to `room` pieces."""
    wanted = CHARACTER_COVERAGE * frequency.total()
    common, covered = set(), 0
    for c, pieces in needed.items():
        room -= len(pieces)
        if covered >= wanted or room < 0:
            break
        common.add(c)
        covered += frequency[c]
    return common


def _train(words, alphabet, given, size):
    """Pieces in the order of their ids; `given` come first, in their order."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    model = Tokenizer(models.WordPiece())
    model.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=MIN_FREQUENCY,
        special_tokens=given,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    model.train_from_iterator((" ".join([word] * n) for word, n in words), trainer)
    ids = model.get_vocab()
    return sorted(ids, key=ids.get)
