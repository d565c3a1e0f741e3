import pytest

from bert_tf.core.errors import InputError
from bert_tf.text.tokenizers.vocabulary import fill_vocabulary, read_vocabulary, write_vocabulary


def written(tmp_path, content):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    return path


def test_what_is_written_is_read(tmp_path):
    pieces = ["[UNK]", "a", "##b", "\u2028", "\u0085", "中", "\u00a0"]  # line ends only to other readers
    write_vocabulary(tmp_path / "vocab.txt", pieces)
    assert read_vocabulary(tmp_path / "vocab.txt") == pieces


def test_windows_line_ends_byte_order_mark_and_blank_end(tmp_path):
    assert read_vocabulary(written(tmp_path, b"\xef\xbb\xbf[UNK]\r\na\r\n##b\r\n\r\n")) == ["[UNK]", "a", "##b"]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "vocab.txt: empty"),
        (b"\n\n", "vocab.txt: empty"),
        (b"[UNK]\na\nb\na\n", "line 4: 'a' is on line 2 too"),
        (b"[UNK]\na\r\na\n", "line 3: 'a' is on line 2 too"),
        (b"[UNK]\n\na\n", "line 2: a blank line"),
        (b"[PAD]\na\n", r"no \[UNK\] among its 2 tokens"),
        (b"\x80\x04\x95[UNK]", "not a vocabulary: byte 0 is not UTF-8"),
        (b"[UNK]\na\0b\n", "line 2: a NUL byte"),
    ],
)
def test_what_is_no_vocabulary_is_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_vocabulary(written(tmp_path, content))


def test_missing_file_names_itself(tmp_path):
    with pytest.raises(InputError, match="No such vocabulary: .*nowhere.txt"):
        read_vocabulary(tmp_path / "nowhere.txt")


def test_reserved_tokens_fill_a_vocabulary():
    tokens = ["[UNK]", "[unused1]", "a"]
    assert fill_vocabulary(tokens, 5) == [*tokens, "[unused0]", "[unused2]"]
    assert fill_vocabulary(tokens, 2) == tokens
