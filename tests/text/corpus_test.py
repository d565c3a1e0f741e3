"""Reading corpora: what is found, what is mended, what is refused, in constant memory."""

import collections
import gzip
import json
import os
import tracemalloc

import pytest

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.text import corpus


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_find_files_sorts_files_folders_and_globs(tmp_path):
    for name in ("b/2.txt", "b/c/1.txt", "a.txt", "b/.hidden", ".git/x.txt", "z.md"):
        write(tmp_path / name, b"x")
    found = corpus.find_files(f"{tmp_path}/b, {tmp_path}/*.txt,{tmp_path}/a.txt")
    assert [file.relative_to(tmp_path).as_posix() for file in found] == ["a.txt", "b/2.txt", "b/c/1.txt"]
    assert corpus.find_files([tmp_path / "z.md"]) == [tmp_path / "z.md"]


def test_a_name_with_a_comma_is_a_file_if_it_exists(tmp_path):
    file = write(tmp_path / "a,b.txt", b"x")
    assert corpus.find_files(str(file)) == [file]


@pytest.mark.parametrize("patterns", ["a.txt,", ",a.txt", "a.txt, ,a.txt", "", " ", ",", ["a.txt", ""]])
def test_an_empty_name_is_not_the_working_folder(tmp_path, monkeypatch, patterns):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.txt", b"x")
    write(tmp_path / "secret.txt", b"x")
    with pytest.raises(InputError, match="Received an empty name among the input files"):
        corpus.find_files(patterns)


def test_named_pipes_and_devices_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", "a named pipe"), ("/dev/zero", "a device")):
        with pytest.raises(InputError, match=f"{path} is {kind}. A regular file is needed"):
            list(corpus.read_lines(path))
    inside, outside = os.pipe()
    os.write(outside, b"one\ntwo\n")
    os.close(outside)
    assert list(corpus.read_lines(f"/dev/fd/{inside}")) == ["one", "two"]  # as of bash's <(command)
    os.close(inside)


@pytest.mark.parametrize("pattern", ["nothing/*.txt", "missing.txt"])
def test_find_files_names_the_pattern_without_a_match(tmp_path, pattern):
    write(tmp_path / "a.txt", b"x")
    with pytest.raises(InputError, match=pattern.replace("*", r"\*")):
        corpus.find_files(f"{tmp_path}/a.txt,{tmp_path}/{pattern}")


def test_line_ends_byte_order_mark_and_nul_bytes(tmp_path):
    counts = collections.Counter()
    file = write(tmp_path / "a.txt", b"\xef\xbb\xbfone\r\ntw\0o\n\r\nthree")
    assert list(corpus.read_lines(file, counts=counts)) == ["one", "two", "", "three"]
    assert counts["nul_bytes"] == 1 and counts["lines"] == 4 and counts["bytes"] == 17


def test_invalid_utf8_is_replaced_and_counted_or_refused_with_its_line(tmp_path):
    counts = collections.Counter()
    file = write(tmp_path / "a.txt", "gut\nsch\u00f6n\n".encode("latin-1"))
    assert list(corpus.read_lines(file, counts=counts)) == ["gut", "sch\ufffdn"]
    assert counts["invalid_utf8_lines"] == 1
    with pytest.raises(InputError, match=r"a\.txt, line 2: not UTF-8 \(byte 0xf6 at byte 3\)"):
        list(corpus.read_lines(file, strict=True))


CHINESE = "这家酒店的服务很好，我们下次还会来。\n房间不大，但是很干净。\n"


@pytest.mark.parametrize("lines", [2, 20_000])
def test_a_text_of_another_encoding_is_refused_and_read_if_it_is_named(tmp_path, lines):
    file = write(tmp_path / "a.txt", (CHINESE * (lines // 2)).encode("gb18030"))
    counts = collections.Counter()
    with pytest.raises(InputError, match=r"a.txt: .* are not UTF-8. It looks like gb18030; --encoding=gb18030 reads"):
        list(corpus.read_lines(file, counts=counts))
        corpus.check_encoding(counts, [file], None)
    assert counts["lines"] == min(lines, 1000)  # it stops early
    assert list(corpus.read_lines(file, encoding="gb18030")) == CHINESE.split("\n")[:2] * (lines // 2)


def test_a_few_lines_that_are_not_utf8_are_replaced(tmp_path):
    file = write(tmp_path / "a.txt", b"gut\n" * 1980 + b"sch\xf6n\n" * 20)
    counts = collections.Counter()
    assert list(corpus.read_lines(file, counts=counts))[-1] == "sch\ufffdn"
    corpus.check_encoding(counts, [file], None)
    counts = collections.Counter(lines=99, invalid_utf8_lines=1)
    with pytest.raises(InputError, match="1 of 99 lines of text are not UTF-8. It looks like cp1252"):
        corpus.check_encoding(counts, [file], None)
    corpus.check_encoding(counts, [file], "utf-8")  # asked for: invalid bytes are replaced


def test_bytes_that_a_named_encoding_lacks_are_counted_or_refused_with_their_line(tmp_path):
    file = write(tmp_path / "a.txt", "一\n二\n".encode("gb18030") + b"ab\xff\n")
    counts = collections.Counter()
    assert list(corpus.read_lines(file, counts=counts, encoding="gb18030")) == ["一", "二", "ab\ufffd"]
    assert counts["invalid_utf8_lines"] == 1
    with pytest.raises(InputError, match=r"a.txt, line 3: not gb18030 \(before character 2\)"):
        list(corpus.read_lines(file, strict=True, encoding="gb18030"))
    utf16 = write(tmp_path / "b.txt", "eins\r\nzwei 🙂".encode("utf-16"))
    assert list(corpus.read_lines(utf16, encoding="utf-16")) == ["eins", "zwei 🙂"]
    with pytest.raises(ConfigError, match="Received: encoding='gb18031'"):
        corpus.read_lines(utf16, encoding="gb18031")


def test_gzip_is_unpacked_and_damage_is_named(tmp_path):
    packed = gzip.compress(b"one\ntwo\n" * 1000)
    assert len(list(corpus.read_lines(write(tmp_path / "a.txt.gz", packed)))) == 2000
    assert corpus.unpacked_bytes(tmp_path / "a.txt.gz") == 8000
    for data in (packed[:-20], b"no gzip at all"):
        with pytest.raises(InputError, match=r"b\.txt\.gz: damaged gzip"):
            list(corpus.read_lines(write(tmp_path / "b.txt.gz", data)))


@pytest.mark.parametrize("data, reason", [(bytes(range(256)) * 9, "not text"), ("text".encode("utf-16"), "UTF-16")])
def test_files_that_are_not_text_are_refused(tmp_path, data, reason):
    with pytest.raises(InputError, match=f"a.bin: {reason}"):
        list(corpus.read_lines(write(tmp_path / "a.bin", data)))


def test_a_long_line_comes_in_pieces_that_hold_all_of_it_in_bounded_memory(tmp_path):
    size = 24 << 20
    file = tmp_path / "long.txt"
    with file.open("w", encoding="utf-8") as opened:
        for _ in range(size >> 20):
            opened.write("wörter und so " * ((1 << 20) // 15))
    counts, characters, pieces = collections.Counter(), 0, 0
    tracemalloc.start()
    for piece in corpus.read_lines(file, strict=True, counts=counts):
        characters += len(piece)
        pieces += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert characters == 24 * 14 * ((1 << 20) // 15)
    assert pieces > 10 and counts["long_lines"] == 1
    assert peak < 12 << 20


def test_a_long_line_without_blanks_is_cut_between_characters(tmp_path):
    file = write(tmp_path / "long.txt", "字".encode() * (1 << 20))
    assert "".join(corpus.read_lines(file, strict=True)) == "字" * (1 << 20)


def test_json_lines_give_a_document_a_row(tmp_path):
    rows = [{"text": "One. Two."}, {"text": "Three\nfour"}, {"text": ""}]
    file = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)).encode())
    assert list(corpus.read_documents([file])) == [["One.", "Two."], ["Three", "four"]]
    other = write(tmp_path / "b.txt", b'{"body": "Five"}\n')
    assert list(corpus.read_documents([other], field="body")) == [["Five"]]


@pytest.mark.parametrize(
    "line, message",
    [
        (b'{"text": 1}', "no text under the field 'text'"),
        (b"[1]", "Received: a list"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "JSON nested too deeply"),
        (b'{"text": "a", "n": ' + b"9" * 5000 + b"}", "Exceeds the limit"),
        (b'{"text": "\\udc00"}', "half of a surrogate pair"),
    ],
)
def test_json_lines_errors_have_file_and_line(tmp_path, line, message):
    file = write(tmp_path / "a.jsonl", b'{"text": "good"}\n' + line)
    with pytest.raises(InputError, match="a.jsonl, line 2: .*") as error:
        list(corpus.read_lines(file))
    assert message in str(error.value)


def test_blank_lines_and_ends_of_files_end_documents(tmp_path):
    files = [write(tmp_path / "a.txt", b"\n\none\ntwo\n \t\nthree"), write(tmp_path / "b.txt", b"four\n")]
    empty = write(tmp_path / "c.txt", b"")
    counts = collections.Counter()
    documents = list(corpus.read_documents([*files, empty], counts=counts))
    assert documents == [["one", "two"], ["three"], ["four"]]
    assert counts["documents"] == 3


def test_paragraphs_are_split_unless_a_line_is_a_sentence(tmp_path):
    file = write(tmp_path / "a.txt", b"It rains. We stay.\n")
    assert list(corpus.read_documents([file])) == [["It rains.", "We stay."]]
    assert list(corpus.read_documents([file], split=False)) == [["It rains. We stay."]]


def test_a_long_document_comes_in_parts_of_one_number(tmp_path):
    file = write(tmp_path / "a.txt", b"0123456789\n" * 10 + b"\nnext\n")
    counts = collections.Counter()
    parts = list(corpus.read_parts([file], counts=counts, part_chars=40))
    assert [number for number, _ in parts] == [0, 0, 0, 1]
    assert [len(lines) for _, lines in parts] == [4, 4, 2, 1]
    assert counts["documents"] == 2
