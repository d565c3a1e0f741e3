"""Guesses of encodings, and limits of packed files."""

import gzip

import pytest

from bert_tf.core.errors import InputError
from bert_tf.text import lines

TEXTS = {
    "gb18030": "昨天我在北京看了一部新电影，真的很有意思。后来我们一起去吃饭，然后回家。",
    "big5": "昨天我在臺北看了一部新電影，真的很有意思。後來我們一起去吃飯，然後回家。",
    "shift_jis": "昨日、東京で新しい映画を見ました。友達と一緒にご飯を食べて、それから家に帰りました。",
    "euc_jp": "昨日、東京で新しい映画を見ました。友達と一緒にご飯を食べて、それから家に帰りました。",
    "euc_kr": "어제 서울에서 새로운 영화를 보았습니다. 친구와 함께 밥을 먹고 집에 돌아왔습니다.",
    "cp1251": "Президент заявил, что правительство готово обсудить новый закон о ремонте дорог.",
    "koi8_r": "Президент заявил, что правительство готово обсудить новый закон о ремонте дорог.",
    "cp1252": "L’hôtel où nous avons dîné était près de la mer; schöne Grüße aus Köln.",
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_the_encoding_of_a_sentence_is_guessed(encoding):
    assert lines.guess_encoding(TEXTS[encoding].encode(encoding)) == encoding


def test_damaged_utf8_and_noise_are_told_apart():
    damaged = bytearray(TEXTS["big5"].encode() * 5)
    damaged[::50] = b"\xff" * len(damaged[::50])
    assert lines.guess_encoding(bytes(damaged)) == "utf-8"
    assert lines.guess_encoding(bytes(range(128, 256)) * 9) is None


def test_a_packed_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "_FREE_BYTES", 4 << 20)
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"one\n" * (2 << 20)))
    with pytest.raises(InputError, match="a.txt.gz unpacks to over 250 times its size"):
        sum(1 for _ in lines.byte_lines(path, 1 << 20))
