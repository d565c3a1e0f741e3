"""Tagging schemes of entities: IOB1, IOB2 and BIOES; BILOU and BMESO are read as other spellings of BIOES."""

import re
from collections.abc import Collection, Iterable, Sequence

from absl import logging

from bert_tf.core.errors import ConfigError

OUTSIDE = "O"
# IOB1 (Ramshaw and Marcus 1995): an entity begins with B- only directly after another of its type. IOB2: always.
# BIOES: as IOB2; the last word of an entity has E-, and an entity of one word S-.
PREFIXES = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES"}

_ENTITY_TAG = re.compile(r"[BIES]-.")
# Spellings of other projects: BILOU (L for last, U for unit), BMESO (M for middle), BMEWO (W for whole), small letters,
# and "_" for "-".
_SPELLING = re.compile(r"([BIESLUMW])[-_](.+)", re.DOTALL | re.IGNORECASE)
_PREFIXES_OF_OTHERS = {"L": "E", "U": "S", "M": "I", "W": "S"}
_LIKE_ENTITIES = re.compile(r"[BIESLUMW][-_].|.*.[-_][BIESLUMW]$", re.DOTALL | re.IGNORECASE)


def check_scheme(scheme: str | None) -> None:
    """Raises `ConfigError` for an unknown scheme; None is allowed, for tags that do not mark entities."""
    if scheme is not None and scheme not in PREFIXES:
        raise ConfigError(f"Received: scheme={scheme!r}. Schemes: {', '.join(PREFIXES)}; None for tags without one.")


def check_labels(labels: Sequence[str], scheme: str | None) -> None:
    """Raises `ConfigError` for tags that `scheme` does not have, or that lack "O"."""
    check_scheme(scheme)
    if scheme is None:
        return
    tag = re.compile(f"[{PREFIXES[scheme]}]-.", re.DOTALL)
    received = f"Received: labels={list(labels)}, scheme={scheme!r}."
    for label in labels:
        if label != OUTSIDE and not tag.match(label):
            raise ConfigError(f"{received} {label!r} is not a tag of this scheme.")
    if OUTSIDE not in labels:
        raise ConfigError(f"{received} {OUTSIDE!r} is missing.")


def canonical(tag: str) -> str:
    """`tag` as this module spells it: "B_PER" becomes "B-PER", BILOU's "L-PER" "E-PER", "o" "O"; others stay."""
    if tag.upper() == OUTSIDE:
        return OUTSIDE
    spelling = _SPELLING.fullmatch(tag)
    if not spelling:
        return tag
    prefix = spelling[1].upper()
    return f"{_PREFIXES_OF_OTHERS.get(prefix, prefix)}-{spelling[2]}"


def spells_entities(tag: str) -> bool:
    """Whether `tag` belongs to one of the schemes, in any spelling."""
    tag = canonical(tag)
    return tag == OUTSIDE or bool(_ENTITY_TAG.match(tag))


def scheme_of(labels: Collection[str]) -> str | None:
    """The scheme of a set of tags, in any spelling; None where one of them (a part of speech, say) belongs to none.

    Sets of IOB1 and IOB2 look the same; IOB2, the more common one, is returned for both.
    """
    tags = set(map(canonical, labels))
    if OUTSIDE not in tags or not all(map(spells_entities, tags)):
        return None
    prefixes = {tag[0] for tag in tags}
    return "BIOES" if prefixes & {"E", "S"} else "IOB2"


def infer(labels: Sequence[str]) -> tuple[list[str], str | None]:
    """The labels in canonical spelling and their scheme; as they are, and None, where they have none.

    Tags without a scheme of which some look like those of entities are named in a warning.
    """
    scheme, spelled = scheme_of(labels), list(map(canonical, labels))
    if scheme and len(set(spelled)) == len(labels):
        return spelled, scheme
    if marks := [label for label in labels if _LIKE_ENTITIES.match(label)]:
        others = [label for label in labels if not spells_entities(label)]
        reason = f"{others[0]!r} is none" if others else f"{OUTSIDE!r} is missing, or two tags mean the same"
        logging.warning(
            "The tag %r looks like one of entities, but %s of %s (or BILOU, BMESO). The tags are taken as classes of "
            "words, without F1 of entities.",
            *(marks[0], reason, ", ".join(PREFIXES)),
        )
    return list(labels), None


def tag_set(sentences: Iterable[Iterable[str]], scheme: str | None) -> list[str]:
    """All tags in `scheme` for the entity types that occur in `sentences`, which are lists of tags in any scheme.

    Without a scheme the tags that occur, sorted.
    """
    found: set[str] = set().union(*sentences)
    if scheme is None:
        return sorted(found)
    tags = [OUTSIDE]
    for kind in sorted({kind_of(canonical(tag)) for tag in found} - {""}):
        tags += [f"{prefix}-{kind}" for prefix in PREFIXES[scheme]]
    return tags


def kind_of(tag: str) -> str:
    """The entity type in a tag; "" for "O"."""
    return tag.partition("-")[2]


def begins(previous: str, tag: str) -> bool:
    """Whether an entity begins at a word tagged `tag` after one tagged `previous`, in any scheme."""
    if tag == OUTSIDE:
        return False
    return tag[0] in "BS" or previous[0] in "OES" or kind_of(tag) != kind_of(previous)


def may_follow(previous: str, tag: str, scheme: str) -> bool:
    """Whether `scheme` allows `tag` after `previous`; the edges of a sentence count as "O"."""
    if scheme == "IOB1":
        return tag[0] != "B" or kind_of(previous) == kind_of(tag)
    if tag[0] in "IE" and begins(previous, tag):
        return False
    return scheme != "BIOES" or previous[0] not in "BI" or tag[0] in "IE"


def of_part(tag: str, first: bool, last: bool, scheme: str | None) -> str:
    """The tag in `scheme` of a part of a word tagged `tag`; `first` and `last` tell which part of the word it is."""
    if scheme is None or tag == OUTSIDE:
        return tag
    begins = first and tag[0] in "BS"
    ends = last and tag[0] in "ES" and scheme == "BIOES"
    prefixes = {(True, True): "S", (True, False): "B", (False, True): "E", (False, False): "I"}
    return f"{prefixes[begins, ends]}-{kind_of(tag)}"


def read(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """The entities in `tags`, in any scheme and spelling: (type, number of the first word, number after the last word).

    A tag that the scheme does not allow after the one before it begins an entity, as in the evaluation script of
    CoNLL-2000.
    """
    found = []
    tags = list(map(canonical, tags))
    for i, (previous, tag) in enumerate(zip([OUTSIDE, *tags], tags, strict=False)):
        if begins(previous, tag):
            found.append((kind_of(tag), i, i + 1))
        elif tag != OUTSIDE:
            found[-1] = (*found[-1][:2], i + 1)
    return found


def write(entities: Iterable[tuple[str, int, int]], length: int, scheme: str) -> list[str]:
    """Tags in `scheme` for a sentence of `length` words, from entities in the form and order that `read` returns."""
    tags = [OUTSIDE] * length
    for kind, first, end in entities:
        prefixes = ["I"] * (end - first)
        if scheme != "IOB1" or (first and kind_of(tags[first - 1]) == kind):
            prefixes[0] = "B"
        if scheme == "BIOES":
            prefixes[-1] = "S" if end - first == 1 else "E"
        tags[first:end] = [f"{prefix}-{kind}" for prefix in prefixes]
    return tags


def convert(tags: Sequence[str], scheme: str | None) -> list[str]:
    """The entities in `tags`, in any scheme, written in `scheme`; with None the tags as they are."""
    if scheme is None:
        return list(tags)
    return write(read(tags), len(tags), scheme)
