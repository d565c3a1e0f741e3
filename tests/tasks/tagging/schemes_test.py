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


@pytest.mark.parametrize(
    "spelled",
    [
        "B-PER L-PER U-PER O U-LOC B-ORG I-ORG L-ORG O",  # BILOU
        "B-PER E-PER S-PER O S-LOC B-ORG M-ORG E-ORG O",  # BMESO
        "B-PER E-PER W-PER O W-LOC B-ORG M-ORG E-ORG O",  # BMEWO
        "b_PER e_PER s_PER o s_LOC b_ORG i_ORG e_ORG o",
    ],
)
def test_spellings_of_other_projects(spelled):
    tags = spelled.split()
    assert schemes.scheme_of(set(tags)) == "BIOES"
    assert schemes.read(tags) == ENTITIES
    assert schemes.convert(tags, "BIOES") == SPELLED["BIOES"].split()
    assert schemes.tag_set([tags], "IOB2") == schemes.tag_set([SPELLED["IOB2"].split()], "IOB2")
    labels, scheme = schemes.infer(sorted(set(tags)))
    assert scheme == "BIOES" and set(labels) == set(SPELLED["BIOES"].split())
    assert schemes.infer(["o", "B_PER", "I_PER"]) == (["O", "B-PER", "I-PER"], "IOB2")


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (["O", "PER-B", "PER-I"], "'PER-B' looks like one of entities, but 'PER-B' is none of IOB1, IOB2, BIOES"),
        (["B-PER", "I-PER"], "'B-PER' looks like one of entities, but 'O' is missing"),
        (["O", "B-PER", "PAD"], "'B-PER' looks like one of entities, but 'PAD' is none"),
        (["O", "I-X", "M-X"], "two tags mean the same"),
        (["NN", "VB", "O"], ""),
    ],
)
def test_tags_that_only_look_like_entities_are_named(labels, reason, caplog):
    assert schemes.infer(labels) == (labels, None)
    assert reason in caplog.text and bool(reason) == bool(caplog.text)


def test_unknown_scheme():
    with pytest.raises(ConfigError, match="'BILOU'.*IOB1, IOB2, BIOES"):
        schemes.check_scheme("BILOU")
