"""Personal data in a text, found by patterns and by a tagger of names, and replaced by placeholders."""

import collections
import dataclasses
import functools
import re
from collections.abc import Sequence
from typing import Any

from bert_tf.core.errors import InputError
from bert_tf.core.registry import resolve
from bert_tf.text.ideographs import IDEOGRAPHS

# Digits stand alone: next to no other digit, letter of the Latin alphabet, or decimal point with a digit.
_BEFORE, _AFTER = r"(?<![0-9A-Za-z+])(?<![0-9]\.)", r"(?![0-9A-Za-z]|\.[0-9])"
_CHINESE_MOBILE = r"(?:(?:\+|00)?86[ -]?)?1[3-9][0-9](?:[0-9]{8}|[ -][0-9]{4}[ -][0-9]{4})"
_CHINESE_LANDLINE = r"(?:(?:\+|00)86[ -]?)?(?:\(0[0-9]{2,3}\) ?|0[0-9]{2,3}-)[0-9]{7,8}"
_AMERICAN = r"(?:\+?1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[.-])[2-9][0-9]{2}[ .-][0-9]{4}"
_INTERNATIONAL = r"\+[1-9][0-9]{0,2}(?:[ .-]?\(?[0-9]{1,4}\)?){2,6}"
_NAMES = ("PER", "PERS", "PERSON", "NR", "NAME")  # types of persons' names, as taggers call them
_BATCH = 64


def _passes_luhn(text: str) -> bool:
    """Whether the digits are those of a payment card: the last one checks the others (ISO/IEC 7812-1)."""
    digits = [int(character) for character in reversed(text) if character.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[1::2]]
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _is_phone(text: str) -> bool:
    """Whether a number has as many digits as a phone number (ITU-T E.164)."""
    return 7 <= sum(character.isdigit() for character in text) <= 15


def _is_resident_id(text: str) -> bool:
    """Whether the last character checks the 17 digits of a Chinese identity number (GB 11643, ISO 7064 MOD 11-2)."""
    if "-" in text:
        return True  # an American social security number, which has no check
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(text[:17]))
    return "10X98765432"[total % 11] == text[17].upper()


@dataclasses.dataclass(frozen=True)
class _Kind:
    pattern: re.Pattern
    check: Any = None  # function of what matches to whether it is one; None: it is


_URL_END = rf"[^\s<>\"'，。；：！？、（）【】《》“”‘’{IDEOGRAPHS}]"
_URL = rf"(?:https?|ftp)://{_URL_END}+|(?<![\w.@])www\.[\w-]+(?:\.[\w-]+)+{_URL_END}*"
_MAIL = r"(?<![\w.+-])[\w.+-]*\w@\w(?:[\w-]*\w)?(?:\.\w(?:[\w-]*\w)?)+"
_RESIDENT = r"[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01])[0-9]{3}[0-9Xx]"
_SOCIAL_SECURITY = r"(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}"
_PHONE = f"{_CHINESE_MOBILE}|{_CHINESE_LANDLINE}|{_AMERICAN}|{_INTERNATIONAL}"


def _alone(pattern: str) -> re.Pattern:
    return re.compile(f"{_BEFORE}(?:{pattern}){_AFTER}")


# In the order in which they take what several of them match.
_KINDS = {
    "url": _Kind(re.compile(_URL, re.ASCII | re.IGNORECASE)),
    "mail": _Kind(re.compile(_MAIL, re.ASCII)),
    "id": _Kind(_alone(f"{_RESIDENT}|{_SOCIAL_SECURITY}"), _is_resident_id),
    "card": _Kind(_alone(r"[2-6][0-9]{3}(?:[ -]?[0-9]{2,7}){2,5}"), _passes_luhn),
    "phone": _Kind(_alone(_PHONE), _is_phone),
}
KINDS = (*_KINDS, "name")


@dataclasses.dataclass(frozen=True)
class Scrubber:
    """Replaces addresses and numbers in texts and, with a tagger, names, by "[mail]" and so on.

    It is small, so that it can be sent to worker processes; each of them opens the tagger once.

    Attributes:
        tagger: folder of a tagging model whose types have one of persons, such as PER; None: names stay.
    """

    tagger: str | None = None

    def __call__(self, texts: Sequence[str]) -> tuple[list[str], collections.Counter]:
        """The texts without personal data, and how many of each of `KINDS` were replaced."""
        counts: collections.Counter = collections.Counter()
        names = _find_names(self.tagger, texts) if self.tagger else [[] for _ in texts]
        scrubbed = []
        for text, spans in zip(texts, names, strict=True):
            spans = _without_overlaps([*_find(text), *spans])
            counts.update(kind for kind, _, _ in spans)
            for kind, start, end in reversed(spans):
                text = f"{text[:start]}[{kind}]{text[end:]}"
            scrubbed.append(text)
        return scrubbed, counts

    def check(self) -> None:
        """Raises `InputError` for a tagger that cannot be opened or knows no names."""
        if self.tagger:
            _open(self.tagger)


def _find(text: str) -> list[tuple[str, int, int]]:
    """(kind, start, end) of what the patterns find, by kind."""
    found = []
    for kind, one in _KINDS.items():
        for match in one.pattern.finditer(text):
            if one.check is None or one.check(match[0]):
                whole = _without_sentence_end(match[0]) if kind == "url" else match[0]
                found.append((kind, match.start(), match.start() + len(whole)))
    return found


def _without_sentence_end(url: str) -> str:
    """The address without the punctuation of the sentence around it."""
    while url[-1] in ".,;:!?" or (url[-1] == ")" and url.count(")") > url.count("(")):
        url = url[:-1]
    return url


def _without_overlaps(spans: Sequence[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """The spans in the order of their places; of several that overlap the first given."""
    kept: list[tuple[str, int, int]] = []
    for span in spans:
        if all(span[2] <= start or end <= span[1] for _, start, end in kept):
            kept.append(span)
    return sorted(kept, key=lambda span: span[1])


def _find_names(folder: str, texts: Sequence[str]) -> list[list[tuple[str, int, int]]]:
    """("name", start, end) of the persons that the tagger in a folder finds in each text."""
    found = []
    for answer in _open(folder).predict_text(list(texts), batch_size=_BATCH):
        entities = [one for one in answer["entities"] if _is_name(one["type"])]
        found.append([("name", one["start"], one["end"]) for one in entities])
    return found


@functools.lru_cache(1)
def _open(folder: str) -> Any:
    model = resolve("bert_tf.tasks:load")(folder)  # a part of the package above this one
    types = {label.split("-", 1)[-1] for label in getattr(model, "labels", ())}
    if not model.PER_TOKEN or not any(map(_is_name, types)):
        found = ", ".join(sorted(types)) or "no labels"
        raise InputError(f"{folder} finds no names of persons: it has {found}. A tagger with a type such as PER does.")
    return model


def _is_name(kind: str) -> bool:
    return kind.upper() in _NAMES
