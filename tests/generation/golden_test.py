"""The tokens and scores of transformers' `generate` for the model in ../shared/golden/families/bert2bert."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.generation import GenerationConfig, generate_tokens, search
from bert_tf.modeling.decoders.model import Seq2Seq


@pytest.fixture(scope="module")
def model(golden):
    return Seq2Seq.from_pretrained(golden / "families/bert2bert")


@pytest.fixture(scope="module")
def expected(golden):
    return dict(np.load(golden / "families/bert2bert/expected.npz"))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("greedy", {}),
        ("beam4", {"num_beams": 4, "early_stopping": True}),
        ("beam3_no_repeat_bigram", {"num_beams": 3, "no_repeat_ngram_size": 2, "length_penalty": 0.6}),
    ],
)
def test_tokens(model, expected, name, settings):
    tokens = generate_tokens(model, expected["input_ids"], expected["attention_mask"], max_length=16, **settings)
    assert tokens.dtype == tf.int32
    np.testing.assert_array_equal(tokens, expected[name])


def test_beam_scores(model, expected):
    inputs = {"input_ids": expected["input_ids"], "input_mask": expected["attention_mask"]}
    inputs = {name: tf.cast(value, tf.int32) for name, value in inputs.items()}
    inputs["segment_ids"] = tf.zeros_like(inputs["input_ids"])
    _, scores = tf.function(search, autograph=False)(model, inputs, GenerationConfig(num_beams=4, max_length=16))
    np.testing.assert_allclose(scores, expected["beam4_scores"], rtol=0, atol=1e-5)


def test_padding_and_end_are_those_of_the_folder(golden, expected, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(golden / "families/bert2bert", folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    settings = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(settings | {"pad_token_id": 1, "eos_token_id": 32}))
    model = Seq2Seq.from_pretrained(folder)
    tokens = generate_tokens(model, expected["input_ids"], expected["attention_mask"], max_length=16)
    padded = expected["greedy"].copy()
    assert padded[0, 14] == 32
    padded[0, 15] = 1  # after the end of the only text that ends before
    np.testing.assert_array_equal(tokens, padded)
