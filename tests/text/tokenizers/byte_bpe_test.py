"""Byte-level BPE: equal to Hugging Face's `tokenizers` on its golden texts, and on hard cases worked out by hand."""

import gzip
import json
import random

import pytest
import tensorflow as tf

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import InputError
from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.text.tokenizers.byte_bpe import BytePairTokenizer, _ranks_of_tokens
from bert_tf.text.tokenizers.byte_bpe_file import characters_of_bytes, tokenizer_json, vocabulary_of
from bert_tf.text.tokenizers.byte_level import cuts_of, pre_token_pattern, pre_tokens
from tests.text.tokenizers.wordpiece_test import export, in_new_process

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True}
HARD = [*"abstvelmd'' \n\t ..,-1²½", "'s", "'re", "\u2009", "\u3000", "\x85", "\u0301", "\u0323", "é", "\u1e69"]
HARD += ["\uac00", "\u1100", "\u1161", "क", "\u0958", "中", "。", "🙂", "\x00", "\u0345", "\u07f4", "\u0897", "\u1c89"]


@pytest.fixture(scope="module")
def plain(golden):
    return Tokenizer.from_file(golden / "byte_bpe/vocab.json")


def changed(tokenizer, config=None, **parts):
    """The same tokenizer with other parts of its tokenizer.json."""
    content = json.loads(tokenizer.vocabulary.content) | parts
    return BytePairTokenizer(vocabulary_of(json.dumps(content)), config)


@pytest.fixture(scope="module")
def composing(plain):
    return changed(plain, normalizer={"type": "NFC"})


@pytest.fixture(scope="module", params=["plain", "composing"])
def reference(request, golden):
    """(tokenizer, texts, ids, offsets) as the `tokenizers` library computed them."""
    name = {"plain": "tokens_byte_bpe", "composing": "tokens_byte_bpe_nfc"}[request.param]
    with gzip.open(golden / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return request.getfixturevalue(request.param), *([row[key] for row in rows] for key in ("text", "ids", "offsets"))


def spans(starts, ends):
    """[[[start, end], ...], ...] of each text."""
    rows = zip(starts, ends, strict=True)
    return [[list(span) for span in zip(*row, strict=True)] for row in rows]


def small(merges=(), tokens=(), **settings):
    """A tokenizer of the bytes, the results of merges and further special tokens."""
    names = dict.fromkeys([*SPECIAL, *characters_of_bytes(), *("".join(merge) for merge in merges), *tokens])
    ids = {token: i for i, token in enumerate(names)}
    return Tokenizer(
        vocabulary_of(json.dumps(tokenizer_json(ids, merges, [*SPECIAL, *tokens]))), TextConfig(**settings)
    )


def tokens(tokenizer, text):
    return [tokenizer.vocabulary[i] for i in tokenizer(text).numpy()]


def test_equals_the_reference_in_eager_code(reference):
    tokenizer, texts, ids, offsets = reference
    assert tokenizer(texts).to_list() == ids
    found, starts, ends = tokenizer.with_offsets(texts)
    assert found.to_list() == ids
    assert spans(starts.to_list(), ends.to_list()) == offsets


def test_equals_the_reference_in_tf_data(reference):
    tokenizer, texts, ids, _ = reference
    batches = tf.data.Dataset.from_tensor_slices(texts).batch(200).map(tokenizer, num_parallel_calls=2)
    assert [row for batch in batches for row in batch.to_list()] == ids


def test_equals_the_reference_after_reload_in_a_new_process(reference, tmp_path):
    tokenizer, texts, ids, offsets = reference
    answers = in_new_process(export(tokenizer, tmp_path), texts)
    assert answers[0] == answers[1] == ids
    assert spans(answers[2], answers[3]) == offsets


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"normalizer": {"type": "NFC"}},
        {"post_processor": BYTE_LEVEL | {"trim_offsets": True}},
        {"pre_tokenizer": BYTE_LEVEL | {"add_prefix_space": True}},
    ],
    ids=["plain", "NFC", "trimmed", "blank before"],
)
def test_any_text_gives_the_ids_and_offsets_of_the_library(plain, parts):
    library = pytest.importorskip("tokenizers")
    tokenizer = changed(plain, TextConfig(special_tokens=True), **parts)
    theirs = library.Tokenizer.from_str(
        json.dumps(json.loads(tokenizer.vocabulary.content) | {"post_processor": None} | parts)
    )
    draw = random.Random(5)
    # The library puts a blank after special tokens too, which no model of the family wants.
    alphabet = HARD if "pre_tokenizer" in parts else [*HARD, "<mask>", "</s>"]
    texts = ["".join(draw.choices(alphabet, k=draw.randrange(20))) for _ in range(3000)]
    found, starts, ends = tokenizer.with_offsets(texts)
    expected = theirs.encode_batch(texts, add_special_tokens=False)
    assert found.to_list() == tokenizer(texts).to_list() == [encoding.ids for encoding in expected]
    assert spans(starts.to_list(), ends.to_list()) == [[list(span) for span in x.offsets] for x in expected]


def test_added_tokens_are_kept_whole_and_the_longest_is_taken(plain):
    library = pytest.importorskip("tokenizers")
    content = json.loads(plain.vocabulary.content)
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    added = [{"id": plain.vocab_size + i, "content": text} | flags for i, text in enumerate(["New York", "  ", "    "])]
    tokenizer = changed(plain, added_tokens=content["added_tokens"] + added)
    theirs = library.Tokenizer.from_str(tokenizer.vocabulary.content.decode())
    texts = ["in New York.", "a\t    b", "x     y", "New  York", "  ", " New York New"]
    expected = theirs.encode_batch(texts, add_special_tokens=False)
    found, starts, ends = tokenizer.with_offsets(texts)
    assert found.to_list() == tokenizer(texts).to_list() == [encoding.ids for encoding in expected]
    assert spans(starts.to_list(), ends.to_list()) == [[list(span) for span in x.offsets] for x in expected]
    assert tokenizer.decode(found) == texts


def test_merges_go_by_rank_then_from_the_left():
    tokenizer = small([("b", "c"), ("a", "b"), ("a", "bc"), ("ab", "c"), ("a", "a")])
    assert tokens(tokenizer, "abc") == ["abc"]  # by b c, then a bc: the token is not made by ab c
    assert tokens(tokenizer, "aaab") == ["aa", "ab"]
    assert tokens(tokenizer, "aaa") == ["aa", "a"]


def test_runs_of_letters_are_cut_only_where_no_token_goes_on():
    """A token of the last character and the first byte of the next one is found inside a run of Chinese letters."""
    parts = [[characters_of_bytes()[byte] for byte in letter.encode()] for letter in "中文"]
    whole, begun = "".join(parts[0]), "".join(parts[0]) + parts[1][0]
    tokenizer = small([parts[0][:2], ("".join(parts[0][:2]), parts[0][2]), (whole, parts[1][0])])
    assert tokens(tokenizer, "文中文中") == [*parts[1], begun, *parts[1][1:], whole]
    pieces = pre_tokens(tf.constant(["国中国's字"]), pre_token_pattern(cuts_of(tokenizer._bytes))).to_list()
    assert [piece.decode() for piece in pieces[0]] == ["国", "中国", "'s", "字", ""]


def test_ranks_are_those_of_the_merges_that_make_the_tokens():
    """A token that merging its own text never makes has no rank; neither has a merge that comes too late."""
    merges = [("b", "c"), ("a", "bc"), ("a", "b"), ("ab", "c"), ("c", "d"), ("ab", "cd"), ("bc", "d")]
    assert _ranks_of_tokens(merges) == {"bc": 0, "abc": 1, "ab": 2, "cd": 4, "bcd": 6}


def test_special_tokens_in_a_text_are_read_where_the_setting_says_so():
    assert tokens(small(), "a <mask>") == ["a", "Ġ", "<", "m", "a", "s", "k", ">"]
    assert tokens(small(special_tokens=True), "a <mask>b") == ["a", "<mask>", "b"]
    assert small(special_tokens=True).with_offsets("a <mask>b")[1].numpy().tolist() == [0, 1, 8]


def test_bytes_that_are_no_text_and_bytes_without_a_token():
    assert tokens(small(), b"a\xffb") == ["a", "ï", "¿", "½", "b"]
    content = json.loads(small().vocabulary.content)
    ids = {token: i for i, token in enumerate([*SPECIAL, "a", "b"])}
    content["model"]["vocab"] = ids
    content["added_tokens"] = [token | {"id": ids[token["content"]]} for token in content["added_tokens"]]
    tokenizer = Tokenizer(vocabulary_of(json.dumps(content)))
    assert tokens(tokenizer, "abcé") == ["a", "b", "<unk>", "<unk>", "<unk>"]


def test_layout_of_two_segments_is_that_of_the_file(plain):
    a, b = plain(["a"]), plain(["b"])
    row = plain.join([a, b])["input_ids"][0].numpy()
    assert [plain.vocabulary[i] for i in row] == ["<s>", "a", "</s>", "</s>", "b", "</s>"]
    names = [{"SpecialToken": {"id": name, "type_id": 0}} for name in ("<s>", "</s>")]
    single = {"type": "TemplateProcessing", "single": [names[0], {"Sequence": {"id": "A", "type_id": 0}}, names[1]]}
    other = changed(plain, post_processor=single)
    assert other.num_added(2) == 3
    assert other.SPECIAL_TOKENS == plain.SPECIAL_TOKENS == ("<pad>", "<unk>", "<s>", "</s>", "<mask>")


@pytest.mark.parametrize(
    "content, message",
    [
        ({"model": {"type": "Unigram"}}, "holds a Unigram vocabulary"),
        ({"model": {"vocab": {"a": 0}, "merges": [], "byte_fallback": True}}, "byte_fallback=True is not supported"),
        ({"pre_tokenizer": {"type": "Metaspace"}}, "pre_tokenizer Metaspace is not supported; ByteLevel is"),
        ({"pre_tokenizer": None}, "not split by GPT-2's rule"),
        ({"normalizer": {"type": "Lowercase"}}, "normalizer Lowercase is not supported; NFC is"),
        ({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["a b"]}}, "does not fit .* has no 'ab'"),
        ({"model": {"type": "BPE", "vocab": {"a": 0, "b": 2}, "merges": []}}, "ids of its .* tokens are not"),
        ({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a"]}}, "merge 1, 'a', is not two tokens"),
        ({"model": {"type": "BPE", "vocab": [], "merges": []}}, "no vocabulary"),
        ({"model": "BPE"}, "no tokenizer"),
        ({"normalizer": ["NFC"]}, "no tokenizer.json of the `tokenizers` library"),
    ],
)
def test_files_of_another_kind_are_refused(content, message, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(small().vocabulary.content) | {"added_tokens": []} | content))
    with pytest.raises(InputError, match=message) as error:
        Tokenizer.from_file(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_a_vocabulary_with_the_merges_of_another_one(tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps({"a": 0, "b": 1, "ab": 2}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\nab c\n")
    with pytest.raises(InputError, match="merge 2, 'ab c', does not fit the vocabulary, which has no 'c'"):
        Tokenizer.from_file(tmp_path / "vocab.json")
    (tmp_path / "merges.txt").unlink()
    with pytest.raises(InputError, match="merges.txt cannot be read"):
        Tokenizer.from_file(tmp_path / "vocab.json")
