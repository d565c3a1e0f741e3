"""`Tokenizer.from_pretrained`: the kind of a tokenizer is found by the files of its folder."""

import json
import shutil

import pytest

from bert_tf import Tokenizer
from bert_tf.core.errors import InputError
from bert_tf.text.tokenizers.sentencepiece_model import model_class

HELLO = {"byte_bpe": [15500, 15, 620, 3294], "unigram_cased": [5081, 78, 16, 1699, 5405]}


@pytest.mark.parametrize("name, kind", [("byte_bpe", "BytePairTokenizer"), ("unigram_cased", "UnigramTokenizer")])
def test_folders_of_each_kind(name, kind, golden):
    tokenizer = Tokenizer.from_pretrained(golden / name)
    assert type(tokenizer).__name__ == kind
    assert tokenizer("Hello, my dog").numpy().tolist() == HELLO[name]


def test_offsets_of_a_models_tokenizer_are_without_blanks(golden, tmp_path):
    shutil.copytree(golden / "byte_bpe", tmp_path, dirs_exist_ok=True)
    assert Tokenizer.from_pretrained(tmp_path).with_offsets("Hello dog")[1].numpy().tolist() == [0, 5]
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "roberta"}))
    assert Tokenizer.from_pretrained(tmp_path).with_offsets("Hello dog")[1].numpy().tolist() == [0, 6]


def test_vocab_txt_is_read_with_its_settings(tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nHello\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    assert Tokenizer.from_pretrained(tmp_path)("Hello").numpy().tolist() == [6]


def test_tokenizer_json_of_each_kind(golden, tmp_path):
    library = pytest.importorskip("tokenizers")
    models, pre = library.models, library.pre_tokenizers
    content = model_class().FromString((golden / "unigram_cased/spiece.model").read_bytes())
    pieces = [(piece.piece.decode(), piece.score) for piece in content.pieces]
    normalizers = library.normalizers
    unigram = library.Tokenizer(models.Unigram(pieces, 1))
    blanks = normalizers.Replace(library.Regex(" {2,}"), " ")
    unigram.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(content.normalizer_spec.precompiled_charsmap), blanks]
    )
    unigram.pre_tokenizer = pre.Metaspace()
    unigram.add_special_tokens(["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"])
    wordpiece = library.Tokenizer(models.WordPiece({"[UNK]": 0, "hello": 1}, unk_token="[UNK]"))
    wordpiece.normalizer, wordpiece.pre_tokenizer = normalizers.BertNormalizer(), pre.BertPreTokenizer()
    files = golden / "byte_bpe/vocab.json", golden / "byte_bpe/merges.txt"
    bpe = library.Tokenizer(models.BPE.from_file(*map(str, files)))
    bpe.pre_tokenizer = pre.ByteLevel(add_prefix_space=False)
    texts = ["Hello,  my dog ﬁne", "中文 word. a  b", "hello"]
    for theirs in (unigram, wordpiece, bpe):
        theirs.save(str(tmp_path / "tokenizer.json"))
        expected = [encoding.ids for encoding in theirs.encode_batch(texts, add_special_tokens=False)]
        assert Tokenizer.from_pretrained(tmp_path)(texts).to_list() == expected


def test_albert_folders_lower_case_unless_they_say_otherwise(golden, tmp_path):
    shutil.copy(golden / "unigram_cased/spiece.model", tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "albert"}))
    assert Tokenizer.from_pretrained(tmp_path).config.lower_case
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False, "keep_accents": True}))
    config = Tokenizer.from_pretrained(tmp_path).config
    assert (config.lower_case, config.strip_accents) == (False, False)


@pytest.mark.parametrize(
    "files, message",
    [
        ({}, "has no tokenizer"),
        ({"tokenizer.json": '{"model": {"type": "WordLevel", "vocab": {}}}'}, "holds a WordLevel tokenizer"),
        ({"tokenizer.json": '{"model": {"type": "Unigram", "vocab": 3}}'}, "no Unigram tokenizer"),
        ({"tokenizer.json": "{"}, "not JSON"),
        ({"vocab.json": '{"a": 0, "b": 1}', "merges.txt": "a b\n"}, "does not fit the vocabulary, which has no 'ab'"),
        ({"vocab.json": '{"a": 0}'}, "merges.txt cannot be read"),
        ({"spiece.model": "none"}, "no SentencePiece model"),
    ],
)
def test_folders_without_a_usable_tokenizer(files, message, tmp_path):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message) as error:
        Tokenizer.from_pretrained(tmp_path)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(InputError, match="is no folder"):
        Tokenizer.from_pretrained(tmp_path / "missing")
