"""Learns WordPiece tokens from counted words with the trainer of the Rust `tokenizers` library, deterministically."""

import collections
import itertools
from collections.abc import Mapping, Sequence

from bert_tf.text.tokenizers.vocabulary import CONTINUATION

CHARACTER_COVERAGE = 0.9999  # share of the text whose characters get tokens before any longer token does
MIN_FREQUENCY = 2  # of a pair of tokens that is merged


def learn_tokens(counts: Mapping[str, int], size: int, fixed: Sequence[str]) -> list[str]:
    """At most `size` tokens: the `fixed` ones, characters, merged pairs, and rarer characters where there is room.

    Args:
        counts: the frequency of each word.
        size: how many tokens are wanted; the text may give fewer.
        fixed: the first tokens, which are not learned.
    """
    frequency: collections.Counter = collections.Counter()
    for word, n in counts.items():
        for c in word:
            frequency[c] += n
    inside = {c for word in counts for c in word[1:]}
    # The tokens that each character needs, the most frequent character first.
    falling = sorted(frequency, key=lambda c: (-frequency[c], c))
    needed = {c: [c, CONTINUATION + c] if c in inside else [c] for c in falling}
    common = _common_characters(needed, frequency, size - len(fixed))
    words = [(word, n) for word, n in sorted(counts.items()) if common.issuperset(word)]
    alphabet = sorted(common)
    continued = sorted(token for c in common for token in needed[c] if token != c)
    # The trainer numbers tokens such as ##a in the order of a hash table and breaks ties between pairs by these
    # numbers, so that its results would differ from run to run. Given as special tokens they have fixed numbers.
    learned = _train(words, alphabet, [*fixed, *continued], size)
    tokens = dict.fromkeys([*fixed, *alphabet, *continued, *learned])
    spare = (token for c in needed if c not in common for token in needed[c])
    return list(itertools.islice(itertools.chain(tokens, spare), size))


def _common_characters(needed, frequency, room):
    """The most frequent characters, up to the wanted coverage and to `room` tokens."""
    wanted = CHARACTER_COVERAGE * frequency.total()
    common, covered = set(), 0
    for c, tokens in needed.items():
        room -= len(tokens)
        if covered >= wanted or room < 0:
            break
        common.add(c)
        covered += frequency[c]
    return common


def _train(words, alphabet, given, size):
    """Tokens in the order of their ids; `given` come first, in their order."""
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
