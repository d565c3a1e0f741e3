"""The contract of `Tokenizer`, for each class that implements it: a new one adds its case to `CASES`."""

import copy
import dataclasses
import json
import pickle
from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.config import TextConfig
from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.text.tokenizers.byte_bpe_file import characters_of_bytes, tokenizer_json, vocabulary_of
from tests.text.tokenizers.unigram_test import unigram_vocabulary

TEXTS = ["it is a café", "", "unbelievable!  zebra", "文字 it"]


@dataclasses.dataclass(frozen=True)
class Case:
    """A tokenizer, and values worked by hand: tokens of the first text, and the rows [A], [A, B] of TEXTS 0 and 3."""

    vocabulary: Sequence[str]
    first: list[str]
    decoded: str
    one: list[str]
    pair: list[str]
    second_starts_at: int
    reserved: int = 0  # tokens that are neither special nor ordinary


def byte_bpe_vocabulary():
    merges = ["i t", "Ġ i", "Ġi s", "Ġ a", "Ġ c", "Ġc a", "Ã ©", "f Ã©"]
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokens = [*special, *characters_of_bytes(), *(merge.replace(" ", "") for merge in merges)]
    ids = {token: i for i, token in enumerate(tokens)}
    return vocabulary_of(json.dumps(tokenizer_json(ids, [merge.split() for merge in merges], special)))


CASES = {
    "wordpiece": Case(
        vocabulary=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]"]
        + ["it", "is", "a", "ca", "##fe", "un", "##bel", "##ievable", "!", "字"],
        first=["it", "is", "a", "ca", "##fe"],
        decoded="it is a cafe",
        one=["[CLS]", "it", "is", "a", "ca", "##fe", "[SEP]"],
        pair=["[CLS]", "it", "is", "a", "ca", "##fe", "[SEP]", "[UNK]", "字", "it", "[SEP]"],
        second_starts_at=7,
        reserved=1,
    ),
    "byte-level BPE": Case(
        vocabulary=byte_bpe_vocabulary(),
        first=["it", "Ġis", "Ġa", "Ġca", "fÃ©"],
        decoded="it is a café",
        one=["<s>", "it", "Ġis", "Ġa", "Ġca", "fÃ©", "</s>"],
        pair=["<s>", "it", "Ġis", "Ġa", "Ġca", "fÃ©", "</s>", "</s>"]
        + ["æ", "ĸ", "ĩ", "å", "Ń", "Ĺ", "Ġ", "it", "</s>"],
        second_starts_at=8,
    ),
    "unigram": Case(
        vocabulary=unigram_vocabulary("▁it", "▁is", "▁a", "▁ca", "fé", "▁un", "bel", "ievable", "!", "▁", "字"),
        first=["▁it", "▁is", "▁a", "▁ca", "fé"],
        decoded="it is a café",
        one=["[CLS]", "▁it", "▁is", "▁a", "▁ca", "fé", "[SEP]"],
        pair=["[CLS]", "▁it", "▁is", "▁a", "▁ca", "fé", "[SEP]", "▁", "<unk>", "字", "▁it", "[SEP]"],
        second_starts_at=7,
    ),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request):
    return request.param


@pytest.fixture
def tokenizer(case):
    return Tokenizer(case.vocabulary)


def tokens(tokenizer, ids):
    return [tokenizer.vocabulary[i] for i in ids]


def test_ids_are_those_with_offsets_and_decode_to_text(case, tokenizer):
    ids, starts, ends = tokenizer.with_offsets(TEXTS)
    assert (ids.dtype, starts.dtype, ends.dtype) == (tf.int32, tf.int64, tf.int64)
    assert ids.to_list() == tokenizer(TEXTS).to_list()
    assert tokens(tokenizer, ids[0].numpy()) == case.first == tokens(tokenizer, tokenizer(TEXTS[0]).numpy())
    assert tokenizer.decode(ids)[0] == case.decoded == tokenizer.decode(ids[0].numpy().tolist())
    covered = [TEXTS[0][a:b] for a, b in zip(starts[0].numpy(), ends[0].numpy(), strict=True)]
    assert "".join(covered).replace(" ", "") == TEXTS[0].replace(" ", "")


def test_starts_word_is_true_once_a_word(case, tokenizer):
    ids = tokenizer("it is a café").numpy()
    assert tokenizer.starts_word.dtype == bool and tokenizer.starts_word.shape == (tokenizer.vocab_size,)
    # The first token of a text begins a word, whatever it is.
    assert tokenizer.starts_word[ids].tolist()[1:] == [True, True, True, False]


def test_special_tokens(case, tokenizer):
    assert tokenizer.vocabulary == case.vocabulary
    for token, i in zip(tokenizer.SPECIAL_TOKENS, tokenizer.special, strict=True):
        assert tokenizer.id_of(token) == i == tokenizer.vocabulary.index(token)
    assert sorted(tokenizer.special_ids) == sorted(tokenizer.special)
    assert tokenizer.special.mask == tokenizer.mask_id not in tokenizer.added_ids
    assert tokenizer.id_of("no such token") is None
    assert not set(tokenizer.ordinary_ids) & {*tokenizer.special_ids, tokenizer.id_of("[unused0]")}
    assert len(tokenizer.ordinary_ids) == tokenizer.vocab_size - 5 - case.reserved


def test_join_lays_out_one_and_two_segments(case, tokenizer):
    first, second = tokenizer([TEXTS[0], TEXTS[1]]), tokenizer([TEXTS[3], TEXTS[0]])
    one = tokenizer.join([first])
    assert tokens(tokenizer, one["input_ids"][0].numpy()) == case.one
    assert not one["segment_ids"].numpy().any()
    assert one["input_mask"].numpy().sum(1).tolist() == [len(case.one), tokenizer.num_added(1)]
    pair = tokenizer.join([first, second], length=20)
    ids = pair["input_ids"].numpy()
    size = len(case.pair)
    assert {x.dtype for x in pair.values()} == {tf.int32} and ids.shape == (2, 20)
    assert tokens(tokenizer, ids[0]) == case.pair + [tokenizer.SPECIAL_TOKENS.pad] * (20 - size)
    assert pair["input_mask"][0].numpy().tolist() == [1] * size + [0] * (20 - size)
    starts = case.second_starts_at
    assert pair["segment_ids"][0].numpy().tolist() == [0] * starts + [1] * (size - starts) + [0] * (20 - size)
    assert pair["input_mask"].numpy().sum(1).tolist() == [size, tokenizer.num_added(2) + len(case.first)]
    assert starts == len(case.first) + tokenizer.num_added(2) - 1
    assert set(ids[:, 0]) == {tokenizer.cls_id}


def test_join_of_rows_without_one_of_the_segments(case, tokenizer):
    """Rows with a segment left out are those of the other segment alone, whichever of the two it is."""
    first, second = tokenizer([TEXTS[0], TEXTS[0], ""]), tokenizer([TEXTS[3], "", TEXTS[0]])
    rows = tokenizer.join([first, second], present=[[1, 1, 0], [1, 0, 1]])
    lengths = rows["input_mask"].numpy().sum(1)
    found = [tokens(tokenizer, row[:size]) for row, size in zip(rows["input_ids"].numpy(), lengths, strict=True)]
    assert found == [case.pair, case.one, case.one]
    assert rows["segment_ids"].numpy().any(1).tolist() == [True, False, False]


def test_num_added_of_a_tensor_is_that_of_its_numbers(tokenizer):
    assert tokenizer.num_added(tf.constant([1, 2])).numpy().tolist() == [tokenizer.num_added(1), tokenizer.num_added(2)]


def test_the_same_in_a_dataset_and_in_a_reloaded_saved_model(tokenizer, tmp_path):
    def serve(texts, others):
        ids, starts, ends = tokenizer.with_offsets(texts)
        rows = tokenizer.join([tokenizer(texts), tokenizer(others)], present=[tf.ones_like(others, tf.int32)] * 2)
        return rows | {"ids": ids.to_tensor(), "starts": starts.to_tensor(), "ends": ends.to_tensor()}

    texts, others = tf.constant(TEXTS), tf.constant(TEXTS[::-1])
    expected = serve(texts, others)
    data = tf.data.Dataset.from_tensor_slices((texts, others)).batch(len(TEXTS)).map(serve)
    module = tf.Module()
    module.tokenizer = tokenizer  # as an attribute of what is saved, as a model has it
    module.serve = tf.function(serve, input_signature=[tf.TensorSpec([None], tf.string)] * 2)
    tf.saved_model.save(module, str(tmp_path))
    reloaded = tf.saved_model.load(str(tmp_path)).serve(texts, others)
    for found in (next(iter(data)), reloaded):
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_max_bytes_never_cuts_off_a_token(tokenizer):
    text = "unbelievable " * 50
    for count in (1, 7, 30):
        cut = tf.strings.substr(text, 0, tokenizer.max_bytes(count))
        assert tokenizer(cut)[:count].numpy().tolist() == tokenizer(text)[:count].numpy().tolist()


def test_a_file_and_a_copy_give_the_same_tokenizer(case, tmp_path):
    tokenizer = Tokenizer(case.vocabulary, TextConfig(lower_case=False))
    tokenizer.save(tmp_path / tokenizer.FILE_NAME)
    opened = Tokenizer.from_file(tmp_path / tokenizer.FILE_NAME, lower_case=False)
    in_folder = Tokenizer.from_folder(tmp_path, TextConfig(lower_case=False))
    for other in (opened, in_folder, copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))):
        assert type(other) is type(tokenizer)
        assert (other.vocabulary, other.config) == (tokenizer.vocabulary, tokenizer.config)


def test_the_base_class_makes_wordpiece_tokenizers_and_an_incomplete_class_none():
    from bert_tf.text.tokenizers.wordpiece import WordPieceTokenizer

    assert type(Tokenizer(["[UNK]", "a"])) is WordPieceTokenizer
    incomplete = type("Incomplete", (Tokenizer,), {})
    with pytest.raises(TypeError, match="abstract"):
        incomplete(["[UNK]"])


def test_decoding_in_a_graph_gives_the_same(tokenizer):
    rows = tokenizer.join([tokenizer(TEXTS)])["input_ids"]
    ids = tf.RaggedTensor.from_tensor(rows)
    graph = tf.function(tokenizer.detokenize, input_signature=[tf.RaggedTensorSpec([None, None], tf.int32)])
    assert [text.decode() for text in graph(ids).numpy()] == tokenizer.decode(rows)
