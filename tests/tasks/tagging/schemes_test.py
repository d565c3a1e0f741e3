"""Schemes of tags against sentences written out by hand, and against each other."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from bert_tf.core.errors import ConfigError
from bert_tf.tasks.tagging import schemes

# Two persons side by side, a place of one word, one of three.
ENTITIES = [("PER", 0, 2), ("PER", 2, 3), ("LOC", 4, 5), ("ORG", 5, 8)]
SPELLED = {
    "IOB1": "I-PER I-PER B-PER O I-LOC I-ORG I-ORG I-ORG O",
    "IOB2": "B-PER I-PER B-PER O B-LOC B-ORG I-ORG I-ORG O",
    "BIOES": "B-PER E-PER S-PER O S-LOC B-ORG I-ORG E-ORG O",
}


@pytest.mark.parametrize("scheme", schemes.PREFIXES)
def test_by_hand(scheme):
    spelled = SPELLED[scheme].split()
    assert schemes.read(spelled) == ENTITIES
    assert schemes.write(ENTITIES, 9, scheme) == spelled
    for other in schemes.PREFIXES:
        assert schemes.convert(spelled, other) == SPELLED[other].split()


@given(st.lists(st.sampled_from(["O", *(f"{p}-{k}" for p in "BIES" for k in ("A", "B-C"))]), max_size=7))
def test_any_tags_are_read_as_seqeval_reads_them(sentence):
    ours = schemes.read(sentence)
    assert ours == [(kind, first, last + 1) for kind, first, last in get_entities(sentence)]
    for scheme in schemes.PREFIXES:
        assert schemes.read(schemes.convert(sentence, scheme)) == ours


@pytest.mark.parametrize("scheme", schemes.PREFIXES)
def test_possible_sequences_are_those_that_entities_give(scheme):
    """Of all sequences of four tags, `may_follow` passes those that writing the entities read gives back."""
    labels = schemes.tag_set([["B-X", "B-Y"]], scheme)
    for sentence in itertools.product(labels, repeat=4):
        steps = itertools.pairwise(["O", *sentence, "O"])
        assert all(schemes.may_follow(*step, scheme) for step in steps) == (
            schemes.convert(sentence, scheme) == list(sentence)
        )


def test_sets_of_tags():
    assert schemes.tag_set([["I-B", "O"], ["S-A"]], "IOB2") == ["O", "B-A", "I-A", "B-B", "I-B"]
    assert schemes.tag_set([["nn", "at"], ["nn"]], None) == ["at", "nn"]
    assert schemes.scheme_of(["O", "B-A", "I-A"]) == "IOB2"
    assert schemes.scheme_of(schemes.tag_set([["B-A"]], "BIOES")) == "BIOES"
    assert schemes.scheme_of(["NN", "O"]) is schemes.scheme_of(["B-A", "I-A"]) is None


def test_unknown_scheme():
    with pytest.raises(ConfigError, match="'BILOU'.*IOB1, IOB2, BIOES"):
        schemes.check_scheme("BILOU")
