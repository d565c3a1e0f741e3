import pytest
from tokenizers.models import WordPiece

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import InputError
from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.text.tokenizers.huggingface import fast_tokenizer
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
        (b"[PAD]\na\n", r"no \[UNK\] among its 2 tokens"),
        (b"\x80\x04\x95[UNK]", "vocab.txt: line 1 is not UTF-8"),
        (b"[UNK]\na\0b\n", "line 2: a NUL byte"),
    ],
)
def test_what_is_no_vocabulary_is_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_vocabulary(written(tmp_path, content))


def test_blank_lines_doubles_and_blanks_keep_every_id(tmp_path):
    """As google-research/bert reads them (`token.strip()`, the last of doubles) and the library `tokenizers` does."""
    path = written(tmp_path, "[UNK]\n\nthe\nthe \n\t##ing\u3000\nwalk\r\n\nthe\n".encode())
    tokens = read_vocabulary(path)
    assert tokens == ["[UNK]", "", "the", "the", "##ing", "walk", "", "the"]
    tokenizer = Tokenizer.from_file(path)
    assert tokenizer(["the walking the", "none"]).to_list() == [[7, 5, 4, 7], [0]]
    ids, starts, ends = tokenizer.with_offsets(["the walking the"])
    assert ids.to_list() == [[7, 5, 4, 7]]
    assert (starts.to_list(), ends.to_list()) == ([[0, 4, 8, 12]], [[3, 8, 11, 15]])
    fast = fast_tokenizer(tokens, TextConfig())
    assert fast.get_vocab_size() == 8
    assert fast.encode("the walking the").ids == [7, 5, 4, 7]
    write_vocabulary(tmp_path / "again.txt", tokens)
    assert read_vocabulary(tmp_path / "again.txt") == tokens


def test_the_library_tokenizers_reads_such_a_file_alike(tmp_path):
    path = written(tmp_path, b"[UNK]\n\nthe\nthe \nwalk\n\nthe\n")
    model = WordPiece.read_file(str(path))
    tokenizer = Tokenizer.from_file(path)
    assert {token: tokenizer.id_of(token) for token in model} == model


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"[UNK]\n" + b"a" * 2**20 + b"\nb\n", 2), (b"[UNK]\n" + b"a\n" * 2**19 + b"b" * 999, 2**19 + 2)],
)
def test_a_long_token_names_its_line_before_it_asks_for_memory(tmp_path, content, line):
    path = written(tmp_path, content)
    with pytest.raises(InputError, match=f"vocab.txt, line {line}: a token of .* characters among"):
        read_vocabulary(path)


def test_missing_file_names_itself(tmp_path):
    with pytest.raises(InputError, match="No such vocabulary: .*nowhere.txt"):
        read_vocabulary(tmp_path / "nowhere.txt")


def test_reserved_tokens_fill_a_vocabulary():
    tokens = ["[UNK]", "[unused1]", "a"]
    assert fill_vocabulary(tokens, 5) == [*tokens, "[unused0]", "[unused2]"]
    assert fill_vocabulary(tokens, 2) == tokens
