"""Noise changes as many words as it is asked to, and only those that its kind is about."""

import numpy as np
import pytest

from bert_tf.text.noise import NOISES, add_noise, noisy_units

TEXT = "The quick brown fox, it seems, jumps over that lazy dog. " * 20
CHINESE = "这部电影他已经看了，是真的很好，故事在城市里。" * 20


def random():
    return np.random.default_rng(0)


@pytest.mark.parametrize("kind", NOISES)
def test_every_kind_changes_some_text(kind):
    assert add_noise(TEXT + CHINESE, kind, 0.5, random()) != TEXT + CHINESE


@pytest.mark.parametrize("kind", ["typos", "case", "zero_width", "homoglyphs"])
@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_a_share_of_the_words(kind, share):
    words = TEXT.split()
    able = [NOISES[kind].pattern.search(word) is not None for word in words]
    changed = [old != new for old, new in zip(words, noisy_units(words, kind, share, random()), strict=True)]
    assert not any(np.array(changed) & ~np.array(able))
    # A slip may type a letter over itself: two equal neighbours exchanged.
    assert sum(changed) == pytest.approx(share * sum(able), abs=2 + 0.02 * len(words))


@pytest.mark.parametrize("kind", [name for name, noise in NOISES.items() if noise.keeps_words])
def test_words_stay_as_many(kind):
    words = (TEXT + CHINESE).split()
    changed = noisy_units(words, kind, 1.0, random())
    assert len(changed) == len(words)
    assert all(word and word.split() == [word] for word in changed)


def test_chinese_characters_are_units():
    changed = add_noise(CHINESE, "sound_alike", 1.0, random())
    assert len(changed) == len(CHINESE)
    assert changed[0] in "着者"  # the other one of its group
    assert add_noise(TEXT, "sound_alike", 1.0, random()) == TEXT


def test_white_space_stays_and_equal_seeds_give_equal_texts():
    text = "two  spaces\tand\na line"
    changed = add_noise(text, "case", 1.0, random())
    assert changed == text.upper()
    assert add_noise(TEXT, "typos", 0.3, random()) == add_noise(TEXT, "typos", 0.3, random())
