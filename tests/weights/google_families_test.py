"""Checkpoints of ALBERT and ELECTRA under the names that google-research published."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

import bert_tf
from bert_tf.core.errors import InputError
from bert_tf.text.tokenizers.sentencepiece_model import read_model as read_pieces
from bert_tf.weights import read_model, write_model
from bert_tf.weights.io import tf_checkpoint
from tests.weights.samples import make_family

# Variables of google-research/albert's and google-research/electra's models, without blocks and weights of a layer.
ALBERT = (
    "bert/embeddings/{LayerNorm/beta,LayerNorm/gamma,position_embeddings,token_type_embeddings,word_embeddings}",
    "bert/encoder/embedding_hidden_mapping_in/{bias,kernel}",
    "bert/encoder/transformer/group_0/inner_group_0/{LayerNorm,LayerNorm_1}/{beta,gamma}",
    "bert/encoder/transformer/group_0/inner_group_0/attention_1/output/dense/{bias,kernel}",
    "bert/encoder/transformer/group_0/inner_group_0/attention_1/self/{key,query,value}/{bias,kernel}",
    "bert/encoder/transformer/group_0/inner_group_0/ffn_1/intermediate/dense/{bias,kernel}",
    "bert/encoder/transformer/group_0/inner_group_0/ffn_1/intermediate/output/dense/{bias,kernel}",
    "bert/pooler/dense/{bias,kernel}",
    "cls/predictions/output_bias",
    "cls/predictions/transform/{LayerNorm/beta,LayerNorm/gamma,dense/bias,dense/kernel}",
    "cls/seq_relationship/{output_bias,output_weights}",
)
ELECTRA_EMBEDDINGS = (
    "electra/embeddings/{LayerNorm/beta,LayerNorm/gamma,position_embeddings,token_type_embeddings,word_embeddings}",
)
ENCODER = (
    "SCOPE/embeddings_project/{bias,kernel}",
    "SCOPE/encoder/layer_{0,1,2}/attention/output/{LayerNorm/beta,LayerNorm/gamma,dense/bias,dense/kernel}",
    "SCOPE/encoder/layer_{0,1,2}/attention/self/{key,query,value}/{bias,kernel}",
    "SCOPE/encoder/layer_{0,1,2}/intermediate/dense/{bias,kernel}",
    "SCOPE/encoder/layer_{0,1,2}/output/{LayerNorm/beta,LayerNorm/gamma,dense/bias,dense/kernel}",
)
DISCRIMINATOR_HEAD = ("discriminator_predictions/{dense,dense_1}/{bias,kernel}",)
GENERATOR_HEAD = ("generator_predictions/{LayerNorm/beta,LayerNorm/gamma,dense/bias,dense/kernel,output_bias}",)


def scoped(scope):
    return tuple(pattern.replace("SCOPE", scope) for pattern in ENCODER)


PUBLISHED = {
    "albert_pretraining": ALBERT,
    "electra_discriminator": ELECTRA_EMBEDDINGS + scoped("electra") + DISCRIMINATOR_HEAD,
    "electra_generator": ELECTRA_EMBEDDINGS + scoped("generator") + GENERATOR_HEAD,
}
# What transformers' converters made of these names, in order: (google-research's, transformers').
RENAMED = {
    "albert": [
        *(("ffn_1", "ffn"), ("bert/", "albert/"), ("attention_1", "attention"), ("transform/", "")),
        *(("LayerNorm_1", "full_layer_layer_norm"), ("0/LayerNorm", "0/attention/LayerNorm"), ("transformer/", "")),
        *(("ffn/intermediate/output/dense", "ffn_output"), ("ffn/intermediate/dense", "ffn")),
        *(("attention/output/dense", "attention/dense"), ("attention/self/", "attention/"), ("pooler/dense", "pooler")),
        *(("group_0/inner_group_0", "albert_layer_groups/0/albert_layers/0"), ("cls/predictions", "predictions")),
        *(("cls/seq_relationship", "sop_classifier/classifier"), ("output_", "")),
    ],
    "electra": [
        *(("generator/", "electra/"), ("dense_1", "dense_prediction"), ("layer_", "layer/")),
        ("generator_predictions/output_bias", "generator_lm_head/bias"),
    ],
}
ENDINGS = {"kernel": "weight", "gamma": "weight", "beta": "bias", "weights": "weight"}


def names_of(patterns):
    """The names that patterns of the form "a/{b,c}" stand for."""
    names = list(patterns)
    while any("{" in name for name in names):
        longer = []
        for name in names:
            before, brace, rest = name.partition("{")
            choices, _, after = rest.partition("}")
            longer += [before + choice + after for choice in choices.split(",")] if brace else [name]
        names = longer
    return set(names)


def transformers_name(family, name):
    for old, new in RENAMED[family]:
        name = name.replace(old, new)
    before, _, end = name.rpartition("/")
    end = ENDINGS.get(end, f"{end}.weight" if end.endswith("embeddings") else end)
    return f"{before}/{end}".replace("/", ".")


def tensors_of(folder):
    return {name: tensor.read() for name, tensor in tf_checkpoint.stored(tf_checkpoint.find(folder)).items()}


def assert_same(actual, expected):
    assert actual.family == expected.family
    assert actual.encoder == expected.encoder
    assert actual.weights.keys() == expected.weights.keys()
    for name, array in expected.weights.items():
        np.testing.assert_array_equal(actual.weights[name], array, err_msg=name)


@pytest.mark.parametrize("folder", PUBLISHED)
def test_names_shapes_and_values_are_the_published_ones(tmp_path, golden, folder):
    checkpoint = read_model(golden / "families" / folder)
    write_model(checkpoint, tmp_path / "model", "google")
    written = tensors_of(tmp_path / "model")
    assert written.keys() == names_of(PUBLISHED[folder])
    reference = load_file(golden / "families" / folder / "model.safetensors")
    for name, array in written.items():
        theirs = reference[transformers_name(checkpoint.family, name)]
        np.testing.assert_array_equal(array, theirs.T if name.endswith("kernel") else theirs, err_msg=name)
    assert_same(read_model(tmp_path / "model"), checkpoint)


def test_albert_as_published(tmp_path, golden):
    """Settings with whole numbers and names that are not read, a SentencePiece model, state of the optimizer."""
    vocabulary = read_pieces(golden / "unigram_uncased/spiece.model")
    checkpoint = make_family("albert", ["masked_lm"], vocabulary, embedding_size=4, hidden_dropout=0.0)
    folder = tmp_path / "model"
    write_model(checkpoint, folder, "google")
    settings = json.loads((folder / "albert_config.json").read_text())
    del settings["bert_tf"]
    settings |= {"attention_probs_dropout_prob": 0, "hidden_dropout_prob": 0, "net_structure_type": 0, "gap_size": 0}
    settings |= {"num_memory_blocks": 0, "inner_group_num": 1, "down_scale_factor": 1}
    (folder / "albert_config.json").write_text(json.dumps(settings))
    tensors = tensors_of(folder)
    tensors |= {f"{name}/adam_m": array for name, array in tensors.items()} | {"global_step": np.int64(7)}
    tf_checkpoint.write_names(folder / "model.ckpt-best", tensors)
    opened = read_model(folder)
    assert_same(opened, checkpoint)
    assert opened.encoder.activation == "gelu_tanh"
    assert opened.vocabulary == vocabulary
    assert opened.text.lower_case  # no piece has a capital letter
    (folder / "30k-clean.model").unlink()
    tokens = [f"t{i}" for i in range(len(vocabulary) - 1)]
    (folder / "vocab_chinese.txt").write_text("\n".join(["[UNK]", *tokens]))
    assert read_model(folder).vocabulary == ["[UNK]", *tokens]


def test_inner_groups_are_refused(tmp_path):
    write_model(make_family("albert", embedding_size=4), tmp_path / "model", "google")
    path = tmp_path / "model/albert_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"inner_group_num": 2}))
    with pytest.raises(InputError, match="This ALBERT has inner_group_num=2"):
        read_model(tmp_path / "model")


SIZES = {"hidden_size": 64, "num_heads": 1, "embedding_size": 4}


@pytest.fixture
def both(tmp_path):
    """A folder with a discriminator and a generator, as published: without settings; and the two checkpoints."""
    discriminator = make_family("electra", ["replaced_token"], **SIZES)
    generator = make_family("electra", ["masked_lm"], **SIZES | {"hidden_size": 8, "num_heads": 1})
    shared = {name: array for name, array in discriminator.weights.items() if "embeddings/" in name}
    shared = {name: array for name, array in shared.items() if "projection" not in name}
    generator.weights.update(shared)
    tensors = {}
    for name, checkpoint in (("d", discriminator), ("g", generator)):
        write_model(checkpoint, tmp_path / name, "google")
        tensors |= tensors_of(tmp_path / name)
        for weight in ("encoder/pooler/kernel", "encoder/pooler/bias"):  # ELECTRA has none
            del checkpoint.weights[weight]
    (tmp_path / "both").mkdir()
    tf_checkpoint.write_names(tmp_path / "both/electra_small", tensors)
    return tmp_path / "both", discriminator, generator


def test_electra_without_settings_is_the_discriminator(both, caplog):
    folder, discriminator, _ = both
    assert_same(read_model(folder), discriminator)
    assert "the discriminator is read, not the generator" in caplog.text
    assert bert_tf.Encoder.from_pretrained(folder).config.num_heads == 1  # of 64, as in every size


def test_settings_of_the_generator_choose_it(both):
    folder, _, generator = both
    settings = {"hidden_size": 8, "intermediate_size": 12, "num_attention_heads": 1}
    (folder / "electra_config.json").write_text(json.dumps(settings))
    assert_same(read_model(folder), generator)


def test_a_generator_with_embeddings_of_its_own(both):
    folder, _, generator = both
    tensors = tensors_of(folder)
    own = {name: array + 1 for name, array in tensors.items() if name.startswith("electra/embeddings/")}
    tensors |= {name.replace("electra", "generator"): array for name, array in own.items()}
    tf_checkpoint.write_names(folder / "electra_small", tensors)
    settings = {"hidden_size": 8, "intermediate_size": 12, "num_attention_heads": 1}
    (folder / "electra_config.json").write_text(json.dumps(settings))
    name = "encoder/embeddings/token/embeddings"
    np.testing.assert_array_equal(read_model(folder).weights[name], generator.weights[name] + 1)


def test_albert_without_settings(tmp_path):
    write_model(make_family("albert", embedding_size=4), tmp_path / "model", "google")
    (tmp_path / "model/albert_config.json").unlink()
    with pytest.raises(InputError, match=r"albert_config.json is missing\."):
        read_model(tmp_path / "model")


@pytest.mark.parametrize("family", ["distilbert", "modernbert", "roberta", "xlm_roberta"])
@pytest.mark.parametrize("format", ["google", "model_garden"])
def test_families_that_google_never_had(tmp_path, family, format):
    with pytest.raises(InputError, match=f"The format {format} cannot hold an encoder of the family '{family}'"):
        write_model(make_family(family), tmp_path / "model", format)
    assert not (tmp_path / "model").exists()
