"""Presets of every family: read from keras-hub's own code, and opened by it, with the same outputs and tokens."""

import dataclasses
import json

import numpy as np
import pytest

import bert_tf
from bert_tf.core.config import TextConfig
from bert_tf.core.errors import InputError
from bert_tf.modeling.families import FAMILIES
from bert_tf.modeling.layers.heads import masked_lm_head
from bert_tf.text.tokenizers.byte_bpe_file import read_pair
from bert_tf.text.tokenizers.sentencepiece_model import NAME, XLM_ROBERTA_NAME
from bert_tf.text.tokenizers.sentencepiece_model import read_model as read_pieces
from bert_tf.weights import read_model, write_model
from tests.weights.samples import VOCABULARY, make_family

# Padding is on the right, with the id that a family has for it.
LENGTHS = np.array([[6], [3]])
MASK = (np.arange(6) < LENGTHS).astype("int32")
SEGMENTS = np.array([[0, 0, 0, 0, 1, 1], [0] * 6], "int32")
POSITIONS = np.array([[1, 2], [1, 0]], "int32")
PREFIXES = {
    "albert": "Albert",
    "distilbert": "DistilBert",
    "electra": "Electra",
    "roberta": "Roberta",
    "xlm_roberta": "XLMRoberta",
}
EXTRA = {"albert": {"embedding_size": 4, "num_groups": 2}, "electra": {"embedding_size": 4}}
SEGMENTED = ("albert", "electra")
WITH_TASKS = [family for family in PREFIXES if family != "electra"]
CLASSIFICATION = {"name": "classification", "labels": ["LABEL_0", "LABEL_1", "LABEL_2"]}


@pytest.fixture(scope="module")
def models():
    return pytest.importorskip("keras_hub").models


def computed_by_keras_hub(family):
    """Settings of the encoder and of the masked LM head that keras-hub's classes always have."""
    format = FAMILIES[family].formats["keras_hub"]
    return dict(format.fixed), dict(format.masked_lm)


def sample(family, heads=(), task=None, **settings):
    return make_family(
        family, heads, task=task, **computed_by_keras_hub(family)[0], **EXTRA.get(family, {}), **settings
    )


def inputs_of(family):
    ids = np.random.default_rng(1).integers(5, 30, MASK.shape)
    ids = np.where(MASK == 1, ids, FAMILIES[family].config().padding_id).astype("int32")
    ours = {"input_ids": ids, "input_mask": MASK, "segment_ids": SEGMENTS}
    theirs = {"token_ids": ids, "padding_mask": MASK}
    return ours, theirs | ({"segment_ids": SEGMENTS} if family in SEGMENTED else {})


def assert_close(actual, expected, where=None):
    actual, expected = np.asarray(actual), np.asarray(expected)
    if where is not None:  # what is computed at padding means nothing
        actual, expected = actual[where], expected[where]
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


def assert_same_encoder(folder, family, backbone):
    ours, theirs = inputs_of(family)
    outputs, expected = bert_tf.Encoder.from_pretrained(folder)(ours), backbone(theirs)
    if isinstance(expected, dict):
        if family != "electra":  # whose pooler is of no published model
            assert_close(outputs["pooled_output"], expected["pooled_output"])
        expected = expected["sequence_output"]
    assert_close(outputs["sequence_output"], expected, MASK == 1)


def our_head(folder, kind):
    """The outputs of the head in a folder."""
    checkpoint = read_model(folder)
    encoder = bert_tf.Encoder.from_pretrained(folder)
    outputs = encoder(inputs_of(checkpoint.family)[0])
    weights = checkpoint.weights
    if kind == "TextClassifier":
        return np.asarray(outputs["pooled_output"]) @ weights["classifier/kernel"] + weights["classifier/bias"]
    head = masked_lm_head(encoder, checkpoint.task["masked_lm_activation"], checkpoint.task["masked_lm_epsilon"])
    head.build()
    for variable in head.weights:
        variable.assign(weights[variable.path])
    chosen = np.take_along_axis(np.asarray(outputs["sequence_output"]), POSITIONS[..., None], 1)
    return head(chosen, encoder.embeddings.token.embeddings)


def their_head(model, family, kind):
    inputs = inputs_of(family)[1]
    return model(inputs | {"mask_positions": POSITIONS} if kind == "MaskedLM" else inputs)


def random_backbone(models, family):
    sizes = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "max_sequence_length": 6}
    sizes |= {"embedding_dim": 4} if family in SEGMENTED else {}
    sizes |= {"num_groups": 2} if family == "albert" else {}
    sizes["vocab_size" if family == "electra" else "vocabulary_size"] = 30
    backbone = getattr(models, f"{PREFIXES[family]}Backbone")(**sizes)
    randomize(backbone)
    return backbone


def randomize(model):
    random = np.random.default_rng(2)
    for variable in model.weights:
        variable.assign(random.normal(0, 0.3, variable.shape))


@pytest.mark.parametrize("family", PREFIXES)
def test_backbones_of_keras_hub_are_read(models, tmp_path, family):
    backbone = random_backbone(models, family)
    backbone.save_to_preset(str(tmp_path / "preset"))
    checkpoint = read_model(tmp_path / "preset")
    assert checkpoint.family == family
    assert checkpoint.encoder == sample(family).encoder
    assert_same_encoder(tmp_path / "preset", family, backbone)


@pytest.mark.parametrize("family", PREFIXES)
def test_backbones_are_opened_by_keras_hub(models, tmp_path, family):
    assert [
        note for note in write_model(sample(family), tmp_path / "preset", "keras_hub") if "pooler" not in note
    ] == []
    backbone = getattr(models, f"{PREFIXES[family]}Backbone").from_preset(str(tmp_path / "preset"))
    assert_same_encoder(tmp_path / "preset", family, backbone)


@pytest.mark.parametrize("kind", ["TextClassifier", "MaskedLM"])
@pytest.mark.parametrize("family", WITH_TASKS)
def test_tasks_of_keras_hub_are_read(models, tmp_path, family, kind):
    settings = {"num_classes": 3} if kind == "TextClassifier" else {}
    model = getattr(models, PREFIXES[family] + kind)(backbone=random_backbone(models, family), **settings)
    randomize(model)
    model.save_to_preset(str(tmp_path / "preset"))
    expected = CLASSIFICATION if kind == "TextClassifier" else computed_by_keras_hub(family)[1]
    assert read_model(tmp_path / "preset").task == expected
    assert_close(our_head(tmp_path / "preset", kind), their_head(model, family, kind))


@pytest.mark.parametrize("kind", ["TextClassifier", "MaskedLM"])
@pytest.mark.parametrize("family", WITH_TASKS)
def test_tasks_are_opened_by_keras_hub(models, tmp_path, family, kind):
    head = "classifier" if kind == "TextClassifier" else "masked_lm"
    task = CLASSIFICATION if kind == "TextClassifier" else computed_by_keras_hub(family)[1]
    notes = write_model(sample(family, [head], task), tmp_path / "preset", "keras_hub")
    assert [note for note in notes if "pooler" not in note] == []
    model = getattr(models, kind).from_preset(str(tmp_path / "preset"), load_weights=True)
    assert type(model).__name__ == PREFIXES[family] + kind
    assert_close(their_head(model, family, kind), our_head(tmp_path / "preset", kind))


def vocabulary_of(golden, family):
    if family == "roberta":
        return read_pair(golden / "byte_bpe/vocab.json", golden / "byte_bpe/merges.txt")
    if family in ("albert", "xlm_roberta"):
        name = NAME if family == "albert" else XLM_ROBERTA_NAME
        return read_pieces(golden / "unigram_cased/spiece.model", name)
    return VOCABULARY


TEXTS = ["a Hello world, it's <mask>", "naïve  café 北京", "北a"]


@pytest.mark.parametrize("family", PREFIXES)
def test_tokenizers_are_opened_by_keras_hub_and_read(models, tmp_path, golden, family):
    vocabulary = vocabulary_of(golden, family)
    checkpoint = make_family(family, vocabulary=vocabulary, **EXTRA.get(family, {}))
    write_model(checkpoint, tmp_path / "preset", "keras_hub")
    theirs = getattr(models, f"{PREFIXES[family]}Tokenizer").from_preset(str(tmp_path / "preset"))
    assert theirs.vocabulary_size() == len(vocabulary)
    ours = bert_tf.Tokenizer(vocabulary, TextConfig(lower_case=False))
    for text in ("a Hello world", "it's a café"):
        assert list(np.asarray(theirs(text))) == ours(text).numpy().tolist()
    theirs.save_to_preset(str(tmp_path / "preset"))  # as their code writes it
    settings = json.loads((tmp_path / "preset/config.json").read_text())
    del settings["bert_tf"]
    (tmp_path / "preset/config.json").write_text(json.dumps(settings))
    again = read_model(tmp_path / "preset")
    assert list(again.vocabulary) == list(vocabulary)
    assert bert_tf.Tokenizer(again.vocabulary, again.text)(TEXTS).to_list() == ours(TEXTS).to_list()
    assert bert_tf.Tokenizer.from_pretrained(tmp_path / "preset")(TEXTS).to_list() == ours(TEXTS).to_list()


def test_what_their_tokenizers_do_not_do_is_said(tmp_path, golden):
    checkpoint = make_family("albert", vocabulary=vocabulary_of(golden, "albert"), **EXTRA["albert"])
    checkpoint = dataclasses.replace(checkpoint, text=TextConfig(lower_case=True))
    notes = write_model(checkpoint, tmp_path / "preset", "keras_hub")
    assert sum("neither lower-cases" in note for note in notes) == 1
    assert read_model(tmp_path / "preset").text == checkpoint.text


def test_a_wordpiece_vocabulary_of_a_family_with_another_tokenizer(models, tmp_path):
    """Chinese ALBERT models have one."""
    task = {"name": "classification", "labels": ["a", "b", "c"]}
    checkpoint = make_family("albert", ["classifier"], VOCABULARY, task, **EXTRA["albert"])
    notes = write_model(checkpoint, tmp_path / "preset", "keras_hub")
    assert "AlbertTokenizer takes no vocabulary of this kind: no tokenizer was written." in notes
    assert models.AlbertTextClassifier.from_preset(str(tmp_path / "preset")).preprocessor is None
    write_model(checkpoint, tmp_path / "theirs", "huggingface")
    settings = json.loads((tmp_path / "theirs/tokenizer_config.json").read_text())
    assert settings["tokenizer_class"] == "BertTokenizer"
    model = bert_tf.load(tmp_path / "theirs")
    assert model.tokenizer(["a 北"]).to_list() == [[VOCABULARY.index("a"), VOCABULARY.index("北")]]


@pytest.mark.parametrize("family", ["bilstm", "modernbert"])
def test_families_that_keras_hub_lacks_are_refused(tmp_path, family):
    checkpoint = make_family(family) if family == "modernbert" else None
    if checkpoint is None:
        config = FAMILIES[family].config()
        checkpoint = dataclasses.replace(make_family("bert"), family=family, encoder=config, weights={})
    with pytest.raises(InputError, match=f"keras_hub cannot hold an encoder of the family '{family}'. Choose"):
        write_model(checkpoint, tmp_path / "preset", "keras_hub")
    assert not (tmp_path / "preset").exists()
