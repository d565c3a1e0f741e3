import hashlib
import unicodedata

import numpy as np
import pytest

from bert_tf.text.tokenizers import unicode_tables as ch


def fingerprint(*settings):
    return hashlib.sha256(b"".join(table.tobytes() for table in ch.tables(*settings))).hexdigest()[:16]


@pytest.mark.parametrize(
    "settings, expected",
    [
        ((True, True, True, False), "75e3a152a2649a0a"),
        ((True, False, True, False), "cf51fc5468a4c495"),
        ((False, False, True, False), "cdd9e4626f8cd01a"),
    ],
)
def test_tables_are_the_same_on_every_python(settings, expected):
    """The fingerprints were taken on Python 3.11, whose Unicode is 14.0."""
    assert fingerprint(*settings) == expected


def test_unicode_version_is_the_references():
    if unicodedata.unidata_version == ch.UNICODE_VERSION:
        later = [code for first, last in ch._ADDED_LATER for code in range(first, last + 1)]
        assert {unicodedata.category(chr(code)) for code in later} == {"Cn"}
    # U+11F00 became a nonspacing mark in Unicode 15.0, U+11F43 punctuation.
    _, properties = ch.tables(True, True, True, False)
    assert properties[0x11F00] == properties[0x11F43] == 0


def test_properties_by_hand():
    shift, properties = ch.tables(True, True, True, False)
    assert chr(ord("A") + shift[ord("A")]) == "a" and chr(0x1E9E + shift[0x1E9E]) == "ß"
    assert shift[ch.CAPITAL_SIGMA] == 0
    assert properties[ord("$")] & ch.ALONE and not properties[ord("€")] & ch.ALONE
    assert properties[0x301] == ch.REMOVED | ch.JOINS and properties[0x200D] == ch.REMOVED
    assert [properties[code] for code in (9, 0x20, 0x3000, 0x2028)] == [ch.SPACE] * 4
    assert properties[ord("中")] & ch.ALONE and not properties[ord("か")] & ch.ALONE
    assert not ch.tables(True, True, False, False)[1][ord("中")] & ch.ALONE
    assert np.count_nonzero(properties[ch.PLANES_END :] & ch.REMOVED) == 97 + 240  # tags, variation selectors
