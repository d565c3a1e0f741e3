"""Tagging schemes of entities: IOB1, IOB2 and BIOES."""

import re

from bert_tf.core.errors import ConfigError

OUTSIDE = "O"
# In IOB1 (Ramshaw and Marcus 1995) an entity begins with B- only where one of its type ends just before, in IOB2
# always; in BIOES its last word has E- and an entity of one word S-.
PREFIXES = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES"}

_ENTITY_TAG = re.compile(r"[BIES]-.")


def check_scheme(scheme):
    """Raises `ConfigError` where `scheme` is no scheme; None, tags that spell no entities, is one."""
    if scheme is not None and scheme not in PREFIXES:
        raise ConfigError(f"Received: scheme={scheme!r}. Schemes: {', '.join(PREFIXES)}; None for tags without one.")


def check_labels(labels, scheme):
    """Raises `ConfigError` where a model's tags are none of `scheme`."""
    check_scheme(scheme)
    if scheme is None:
        return
    known = {f"{prefix}-" for prefix in PREFIXES[scheme]}
    strange = [label for label in labels if label != OUTSIDE and not (label[:2] in known and kind_of(label))]
    if strange or OUTSIDE not in labels:
        what = f"{strange[0]!r} is no tag of it" if strange else f"{OUTSIDE!r} is missing"
        raise ConfigError(f"Received: labels={list(labels)}, scheme={scheme!r}. {what}.")


def spells_entities(tag):
    """Whether `tag` is one of the tags of a scheme."""
    return tag == OUTSIDE or bool(_ENTITY_TAG.match(tag))


def scheme_of(labels):
    """The scheme that a set of tags is written in, None where one of them (a part of speech, say) is of no scheme.

    Sets of IOB1 and IOB2 look the same: the answer is then IOB2, the commoner one.
    """
    if OUTSIDE not in labels or not all(map(spells_entities, labels)):
        return None
    return "BIOES" if any(label[0] in "ES" for label in labels) else "IOB2"


def tag_set(sentences, scheme):
    """All tags that entities of the types found in `sentences` (lists of tags, any scheme) can have in `scheme`.

    With the scheme None the tags found, sorted.
    """
    found = {tag for tags in sentences for tag in tags}
    if scheme is None:
        return sorted(found)
    kinds = sorted({kind_of(tag) for tag in found} - {""})
    return [OUTSIDE, *(f"{prefix}-{kind}" for kind in kinds for prefix in PREFIXES[scheme])]


def kind_of(tag):
    """The type of entity in a tag, "" outside of any."""
    return tag.partition("-")[2]


def begins(previous, tag):
    """Whether an entity begins at a word tagged `tag` after one tagged `previous`, in whichever scheme."""
    if tag == OUTSIDE:
        return False
    return tag[0] in "BS" or previous[0] in "OES" or kind_of(tag) != kind_of(previous)


def may_follow(previous, tag, scheme):
    """Whether a sentence tagged in `scheme` can have `tag` after `previous`; its edges count as words outside."""
    if scheme == "IOB1":
        return tag[0] != "B" or kind_of(previous) == kind_of(tag)
    if tag[0] in "IE" and begins(previous, tag):
        return False
    return scheme != "BIOES" or previous[0] not in "BI" or tag[0] in "IE"


def of_part(tag, first, last, scheme):
    """The tag of a part of a word tagged `tag` in `scheme`: of its first part, its last, both or none."""
    if scheme is None or tag == OUTSIDE:
        return tag
    begins, ends = first and tag[0] in "BS", last and tag[0] in "ES"
    if scheme == "BIOES":
        prefix = ("S" if ends else "B") if begins else ("E" if ends else "I")
    else:
        prefix = "B" if begins else "I"
    return f"{prefix}-{kind_of(tag)}"


def read(tags):
    """The entities that `tags` of any of the schemes spell: a list of (type, first word, word after the last).

    A tag that cannot stand where it does begins an entity, as the evaluation script of CoNLL-2000 has it.
    """
    found = []
    for i, (previous, tag) in enumerate(zip([OUTSIDE, *tags], tags, strict=False)):
        if begins(previous, tag):
            found.append((kind_of(tag), i, i + 1))
        elif tag != OUTSIDE:
            found[-1] = (*found[-1][:2], i + 1)
    return found


def write(entities, length, scheme):
    """Tags in `scheme` for a sentence of `length` words with `entities` as `read` gives them, in their order."""
    tags = [OUTSIDE] * length
    for kind, first, end in entities:
        prefixes = ["I"] * (end - first)
        if scheme != "IOB1" or (first and kind_of(tags[first - 1]) == kind):
            prefixes[0] = "B"
        if scheme == "BIOES":
            prefixes[-1] = "S" if end - first == 1 else "E"
        tags[first:end] = [f"{prefix}-{kind}" for prefix in prefixes]
    return tags


def convert(tags, scheme):
    """The same entities as `tags` of any of the schemes spell, in `scheme`; with None the tags as they are."""
    return list(tags) if scheme is None else write(read(tags), len(tags), scheme)
