"""Unigram tokenizers: equal to SentencePiece on its golden texts; ALBERT's and XLM-R's own rules."""

import gc
import gzip
import json
import random
import shutil

import pytest
import tensorflow as tf

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import InputError
from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.text.tokenizers.sentencepiece_model import CONTROL, NORMAL, UNIGRAM, UNKNOWN, model_class, vocabulary_of
from tests.text.tokenizers.wordpiece_test import export, in_new_process

SPECIAL = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]


def unigram_vocabulary(*pieces):
    """Pieces that texts are made of, each likelier than the next, after ALBERT's special tokens."""
    model = model_class()()
    model.trainer_spec.model_type = UNIGRAM
    for token in SPECIAL:
        model.pieces.add(piece=token.encode(), type=UNKNOWN if token == "<unk>" else CONTROL)
    for i, piece in enumerate(pieces):
        model.pieces.add(piece=piece.encode(), score=-1 - i / 8, type=NORMAL)
    return vocabulary_of(model.SerializeToString())


@pytest.fixture(scope="module", params=["cased", "uncased"])
def reference(request, golden):
    """(tokenizer, texts, ids) as SentencePiece computed them."""
    with gzip.open(golden / f"tokens_unigram_{request.param}.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    tokenizer = Tokenizer.from_file(golden / f"unigram_{request.param}/spiece.model")
    return tokenizer, [row["text"] for row in rows], [row["ids"] for row in rows]


@pytest.fixture(scope="module")
def cased(golden):
    return Tokenizer.from_file(golden / "unigram_cased/spiece.model")


def words(tokenizer, text):
    return [tokenizer.vocabulary[i] for i in tokenizer(text).numpy()]


def test_equals_the_reference_in_eager_code(reference):
    tokenizer, texts, ids = reference
    assert tokenizer(texts).to_list() == ids
    assert tokenizer.with_offsets(texts)[0].to_list() == ids


def test_equals_the_reference_in_tf_data(reference):
    tokenizer, texts, ids = reference
    batches = tf.data.Dataset.from_tensor_slices(texts).batch(200).map(tokenizer, num_parallel_calls=2)
    assert [row for batch in batches for row in batch.to_list()] == ids


def test_equals_the_reference_after_reload_in_a_new_process(reference, tmp_path):
    tokenizer, texts, ids = reference
    answers = in_new_process(export(tokenizer, tmp_path), texts)
    assert answers[0] == ids
    assert answers[1:] == [part.to_list() for part in tokenizer.with_offsets(texts)]


def test_any_text_gives_the_ids_of_sentencepiece(golden, cased):
    library = pytest.importorskip("sentencepiece")
    reference = library.SentencePieceProcessor(model_file=str(golden / "unigram_cased/spiece.model"))
    draw = random.Random(3)
    parts = [*"abAB,.!-' \t\n1", "...", "……", "—", "é", "中文", "🙂", "\u0301", "\x00", "\ufeff", "ﬁ", "Ⅷ", "\u2581"]
    texts = ["".join(draw.choices([*parts, "哈哈", "-----"], k=draw.randrange(24))) for _ in range(2000)]
    assert cased(texts).to_list() == [reference.encode(text) for text in texts]


def test_the_order_of_repeated_pieces_is_settled_by_rounding(cased):
    """Both orders have one score; the units of a run share its place in the text."""
    text = "看……。a.........b"
    ids, starts, ends = cased.with_offsets(text)
    found = [
        (cased.vocabulary[i], text[a:b]) for i, a, b in zip(ids.numpy(), starts.numpy(), ends.numpy(), strict=True)
    ]
    assert found[1:5] == [("看", "看"), (".", "…"), (".....", "……"), ("。", "。")]
    assert found[-6:] == [(".", ".")] * 4 + [(".....", "....."), ("b", "b")]


def test_offsets_are_of_the_text_as_given_without_blanks():
    tokenizer = Tokenizer(unigram_vocabulary("▁a", "▁bc", "▁", "d"))
    ids, starts, ends = tokenizer.with_offsets(" a   bc\u3000d")
    assert words(tokenizer, " a   bcd") == ["▁a", "▁bc", "d"]
    assert list(zip(starts.numpy(), ends.numpy(), strict=True))[:2] == [(1, 2), (5, 7)]


def test_albert_lower_cases_strips_accents_and_joins_quotes():
    vocabulary = unigram_vocabulary("▁cafe", "▁café", "▁Cafe", "▁Café", '▁"', "▁``", "``")
    assert words(Tokenizer(vocabulary), "Café ``") == ["▁Café", "▁``"]
    assert words(Tokenizer(vocabulary, TextConfig()), "Café ``") == ["▁cafe", '▁"']
    assert words(Tokenizer(vocabulary, TextConfig(strip_accents=False)), "Café") == ["▁café"]
    assert words(Tokenizer(vocabulary, TextConfig(lower_case=False, strip_accents=True)), "Café") == ["▁Cafe"]
    _, starts, ends = Tokenizer(vocabulary, TextConfig()).with_offsets("Cafe\u0301 ``")
    assert (starts.numpy().tolist(), ends.numpy().tolist()) == ([0, 6], [5, 8])


def test_xlm_roberta_has_its_ids_one_later(golden, cased, tmp_path):
    shutil.copy(golden / "unigram_cased/spiece.model", tmp_path / "sentencepiece.bpe.model")
    tokenizer = Tokenizer.from_file(tmp_path / "sentencepiece.bpe.model", special_tokens=True)
    text = "Hello, my dog"
    assert tokenizer(text).numpy().tolist() == [i + 1 for i in cased(text).numpy()]
    assert tokenizer.special == (1, 3, 0, 2, tokenizer.vocab_size - 1)
    assert words(tokenizer, "my <mask> dog") == ["▁my", "<mask>", "▁dog"]
    row = tokenizer.join([tokenizer(["my"]), tokenizer(["dog"])])["input_ids"][0].numpy()
    assert [tokenizer.vocabulary[i] for i in row] == ["<s>", "▁my", "</s>", "</s>", "▁dog", "</s>"]


@pytest.mark.parametrize("content", [b"", b"no model", b"\x0a\x05\x0a\x03abc"])
def test_files_that_are_no_model(content, tmp_path):
    (tmp_path / "spiece.model").write_bytes(content)
    with pytest.raises(InputError, match=r"spiece.model: no SentencePiece model"):
        Tokenizer.from_file(tmp_path / "spiece.model")


def test_a_tokenizer_outlives_a_new_seed():
    """Setting one drops the kernels of TensorFlow, and with them all that belongs to a kernel."""
    tokenizer = Tokenizer(unigram_vocabulary("▁a", "▁b"))
    assert tokenizer(["a b"]).to_list() == [[5, 6]]
    tf.random.set_seed(1)
    gc.collect()
    assert tokenizer(["a b"]).to_list() == [[5, 6]]
    other = Tokenizer(unigram_vocabulary("▁b", "▁a"))
    assert other(["a b"]).to_list() == [[6, 5]]
