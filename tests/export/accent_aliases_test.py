"""Vocabulary aliases of accented letters, which phones do not read as the model does."""

import zipfile

import keras
import numpy as np
import pytest

from bert_tf.core.config import TextConfig
from bert_tf.export.litert_model import LiteRTModel
from bert_tf.export.tflite import export_tflite
from bert_tf.tasks import TextClassifier
from bert_tf.text.tokenizers.accent_aliases import accent_aliases
from bert_tf.text.tokenizers.base import Tokenizer
from tests.export.conftest import ENCODER

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "caf", "e", "##e", "σ", "ß", "à"]


def test_aliases_of_letters():
    aliases = accent_aliases(Tokenizer(VOCABULARY))
    assert {aliases[token] for token in ("é", "É", "ê", "ẽ")} == {VOCABULARY.index("e")}
    assert {aliases[token] for token in ("##é", "##É")} == {VOCABULARY.index("##e")}
    assert (aliases["Σ"], aliases["ẞ"]) == (VOCABULARY.index("σ"), VOCABULARY.index("ß"))
    assert not aliases.keys() & {*VOCABULARY, "##Σ", "ñ", "À"}  # À is read as a, which is unknown here
    assert accent_aliases(Tokenizer(VOCABULARY, TextConfig(lower_case=False))) == {}


@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_a_file_reads_aliases_as_the_tokens(tmp_path, quantize):
    sizes = ENCODER | {"vocab_size": len(VOCABULARY), "initializer_range": 0.1}
    keras.utils.set_random_seed(1)
    model = TextClassifier(Tokenizer(VOCABULARY), ["x", "y"], **sizes)
    path = tmp_path / "m.tflite"
    export_tflite(model, path, [8], ["cafe", "σ"], quantize)
    tokens = zipfile.ZipFile(path).read("vocab.txt").decode().splitlines()
    assert tokens[: len(VOCABULARY)] == VOCABULARY
    texts = [["[CLS]", "caf", last, "[SEP]", "[PAD]", "[PAD]", "[PAD]", "[PAD]"] for last in ("##é", "##e", "σ")]
    ids = np.array([[tokens.index(token) for token in text] for text in texts])
    rows = {"input_ids": ids, "input_mask": (ids > 0).astype(int), "segment_ids": np.zeros_like(ids)}
    aliased, plain, other = LiteRTModel(path)(rows)["probabilities"]
    np.testing.assert_array_equal(aliased, plain)
    assert abs(plain - other).max() > 1e-3
