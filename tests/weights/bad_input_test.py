"""A folder that cannot be used says why in one line."""

import dataclasses
import functools
import json
import pathlib

import h5py
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.weights import FORMATS, read_model, write_model
from bert_tf.weights.io import hdf5, tf_checkpoint
from tests.weights.samples import VOCABULARY, make

CONFIGS = dict.fromkeys(FORMATS, "config.json") | {"google": "bert_config.json"}


@pytest.fixture
def folder(tmp_path):
    write_model(make("pretrainer"), tmp_path / "model", "huggingface")
    return tmp_path / "model"


def refusal(folder):
    with pytest.raises(InputError) as caught:
        read_model(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def edit(path, **changes):
    settings = json.loads(path.read_text())
    path.write_text(json.dumps(settings | changes))


def rename(folder, old, new):
    tensors = load_file(folder / "model.safetensors")
    tensors[new] = tensors.pop(old)
    save_file(tensors, folder / "model.safetensors")


def test_no_folder(tmp_path):
    assert refusal(tmp_path / "nothing").startswith(f"No such model folder: {tmp_path / 'nothing'} (looked for from")


@pytest.mark.parametrize(
    ("received", "meant"),
    [
        ("bert-base-chinese", "hf://google-bert/bert-base-chinese"),
        ("hfl/chinese-roberta-wwm-ext/", "hf://hfl/chinese-roberta-wwm-ext"),
        ("FacebookAI/XLM-roberta-base", "hf://FacebookAI/xlm-roberta-base"),
    ],
)
def test_a_name_without_its_hub(received, meant):
    assert refusal(received).endswith(f"or hf://OWNER/NAME to download one. Did you mean {meant}?")


def test_a_damaged_file_in_the_cache_of_a_hub(folder, monkeypatch, tmp_path):
    path = folder / "model.safetensors"
    blob = path.rename(tmp_path / "blob")
    blob.write_bytes(blob.read_bytes()[:-10])
    path.symlink_to(blob)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *args, **kwargs: str(folder))
    message = refusal("hf://me/model")
    assert message.startswith(f"hf://me/model: {path} cannot be read, is it whole?")
    assert message.endswith(f"Delete {blob} to download it again.")


def test_a_folder_of_something_else(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    assert "found: notes.txt" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("model_type", "nearest"),
    [("gpt2", "bert"), ("deberta-v2", "modernbert"), ("xlm-roberta-xl", "xlm-roberta"), ("Electra", "electra")],
)
def test_another_architecture(folder, model_type, nearest):
    edit(folder / "config.json", model_type=model_type)
    message = refusal(folder)
    assert f"holds a '{model_type}' model" in message
    assert "can be read: bert, albert, distilbert, electra, modernbert, roberta, xlm-roberta;" in message
    assert message.endswith(f"the nearest is {nearest}.")


@pytest.mark.parametrize("model_type", [7, ["bert"], "x" * 1000])
def test_a_model_type_that_is_no_name(folder, model_type):
    edit(folder / "config.json", model_type=model_type)
    message = refusal(folder)
    assert "These can be read: bert, " in message
    assert len(message) < 600


@pytest.mark.parametrize(
    ("change", "message"),
    [({"position_embedding_type": "relative_key"}, "relative_key"), ({"is_decoder": True}, "decoder")],
)
def test_a_bert_that_computes_otherwise(folder, change, message):
    edit(folder / "config.json", **change)
    assert message in refusal(folder)


@pytest.mark.parametrize("with_config", [True, False])
def test_pickled_weights(folder, with_config):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    if not with_config:
        (folder / "config.json").unlink()
    message = refusal(folder)
    assert "pickled" in message
    assert "save_pretrained" in message


def test_a_missing_weights_file(folder):
    (folder / "model.safetensors").unlink()
    assert "model.safetensors is missing" in refusal(folder)


def test_a_missing_shard(folder):
    names = list(load_file(folder / "model.safetensors"))
    (folder / "model.safetensors").unlink()
    places = {"weight_map": dict.fromkeys(names, "model-00001-of-00002.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(places))
    assert "model-00001-of-00002.safetensors is missing" in refusal(folder)


def test_a_missing_weight_is_listed(folder):
    tensors = load_file(folder / "model.safetensors")
    del tensors["bert.encoder.layer.1.output.dense.bias"], tensors["cls.predictions.bias"]
    save_file(tensors, folder / "model.safetensors")
    message = refusal(folder)
    assert "2 weights are missing" in message
    assert "bert.encoder.layer.1.output.dense.bias" in message
    assert "cls.predictions.bias" in message


def test_an_unknown_name_is_listed_with_the_nearest(folder):
    rename(folder, "bert.encoder.layer.1.output.dense.bias", "bert.encoder.layer.1.output.dence.bias")
    message = refusal(folder)
    assert "1 unknown weights: bert.encoder.layer.1.output.dence.bias" in message
    assert "nearest known name is bert.encoder.layer.1.output.dense.bias" in message


def test_more_layers_than_the_settings_say(folder):
    edit(folder / "config.json", num_hidden_layers=1)
    assert "16 unknown weights: bert.encoder.layer.1." in refusal(folder)


def test_fewer_layers_than_the_settings_say(folder):
    edit(folder / "config.json", num_hidden_layers=3)
    assert "16 weights are missing: bert.encoder.layer.2." in refusal(folder)


def test_wrong_shapes(folder):
    edit(folder / "config.json", intermediate_size=16)
    assert "intermediate/kernel has shape (8, 12); the settings say (8, 16)" in refusal(folder)


@pytest.mark.parametrize("format", ["model_garden", "keras_hub"])
def test_wrong_number_of_heads(tmp_path, format):
    write_model(make("encoder", activation="gelu_tanh"), tmp_path / "model", format)
    path = tmp_path / "model" / "config.json"
    if format == "keras_hub":
        edit(path, config=json.loads(path.read_text())["config"] | {"num_heads": 4})
    else:
        edit(path, num_attention_heads=4)
    assert "(8, 2, 4), which does not fit the settings" in refusal(tmp_path / "model")


def test_settings_that_cannot_be(folder):
    edit(folder / "config.json", num_attention_heads=3)
    message = refusal(folder)
    assert "config.json" in message
    assert "hidden_size must be a multiple of num_heads" in message


def test_settings_of_a_wrong_type(folder):
    edit(folder / "config.json", hidden_size="eight")
    assert "hidden_size" in refusal(folder)


def test_an_untied_output_embedding(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"] + 1
    save_file(tensors, folder / "model.safetensors")
    assert "Only tied output embeddings" in refusal(folder)


def test_integer_weights(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["bert.pooler.dense.bias"] = tensors["bert.pooler.dense.bias"].astype("int8")
    save_file(tensors, folder / "model.safetensors")
    assert "bert.pooler.dense.bias is of type I8" in refusal(folder)


@pytest.mark.parametrize("change", [lambda tokens: tokens[:-1], lambda tokens: [*tokens, "new"]])
@pytest.mark.parametrize("format", FORMATS)
def test_a_vocabulary_of_another_size(tmp_path, format, change):
    write_model(make("encoder", activation="gelu_tanh"), tmp_path / "model", format)
    path = next(path for path in (tmp_path / "model").rglob("vocab*.txt"))
    tokens = change(VOCABULARY)
    path.write_text("".join(piece + "\n" for piece in tokens), encoding="utf-8")
    assert f"the vocabulary has {len(tokens)} tokens and the embedding 11 rows" in refusal(tmp_path / "model")


def test_a_vocabulary_of_another_size_is_not_written(tmp_path):
    with pytest.raises(InputError, match="10 tokens"):
        write_model(make("encoder", VOCABULARY[:-1]), tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "\ufffe"])
@pytest.mark.parametrize("format", FORMATS)
def test_a_broken_config(tmp_path, format, text):
    write_model(make("encoder", activation="gelu_tanh"), tmp_path / "model", format)
    (tmp_path / "model" / CONFIGS[format]).write_text(text, encoding="utf-16" if text == "\ufffe" else "utf-8")
    assert CONFIGS[format] in refusal(tmp_path / "model")


def weight_files(folder):
    return [
        path for path in folder.iterdir() if path.suffix in (".h5", ".safetensors", ".index") or ".data" in path.name
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_files_cut_short(tmp_path, format):
    write_model(make("encoder", activation="gelu_tanh"), tmp_path / "model", format)
    for path in weight_files(tmp_path / "model"):
        whole = path.read_bytes()
        for length in (0, 10, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:length])
            assert str(path).partition(".data")[0].removesuffix(".index") in refusal(tmp_path / "model")
        path.write_bytes(whole)
    read_model(tmp_path / "model")


@pytest.mark.parametrize("format", FORMATS)
def test_files_full_of_noise(tmp_path, format):
    write_model(make("encoder", activation="gelu_tanh"), tmp_path / "model", format)
    for path in weight_files(tmp_path / "model"):
        path.write_bytes(np.random.default_rng(0).bytes(5000))
    assert "cannot be read" in refusal(tmp_path / "model")


def test_a_checkpoint_without_its_data(tmp_path):
    write_model(make("encoder"), tmp_path / "model", "google")
    (tmp_path / "model" / "bert_model.ckpt.data-00000-of-00001").unlink()
    assert "are the files whole?" in refusal(tmp_path / "model")


def test_a_checkpoint_without_its_config(tmp_path):
    write_model(make("encoder"), tmp_path / "model", "model_garden")
    (tmp_path / "model" / "config.json").unlink()
    assert "no config.json or bert_config.json" in refusal(tmp_path / "model")


def test_several_checkpoints_and_nothing_that_names_the_latest(tmp_path):
    write_model(make("encoder"), tmp_path / "model", "google")
    tf_checkpoint.write_names(tmp_path / "model" / "model.ckpt-7", {"x": np.zeros(1, "float32")})
    assert "2 checkpoints" in refusal(tmp_path / "model")


def test_a_preset_of_another_model(tmp_path):
    write_model(make("encoder"), tmp_path / "model", "keras_hub")
    edit(tmp_path / "model" / "config.json", class_name="GPT2Backbone")
    assert "preset of 'GPT2Backbone' (class_name)" in refusal(tmp_path / "model")


def test_a_dataset_missing_in_an_hdf5_file(tmp_path):
    write_model(make("encoder"), tmp_path / "model")
    with h5py.File(tmp_path / "model" / "model.weights.h5", "a") as file:
        del file["blocks/transformer_block_1/output_norm/vars/1"]
    assert "encoder/blocks/transformer_block_1/output_norm/vars/1" in refusal(tmp_path / "model")


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ([{"type": "sentence_transformers.models.Transformer"}, {"type": "x.models.Dense"}], "Dense"),
        ({"0": "Transformer"}, "modules.json"),
        ([{"type": "x.Transformer"}, {"type": "x.Pooling", "path": "../other"}], "has a module in '../other'"),
        ([{"type": "x.Transformer"}, {"type": "x.Pooling", "path": "/etc"}], "has a module in '/etc'"),
    ],
)
def test_sentence_transformers_modules_that_cannot_be_carried_over(folder, modules, message):
    edit(folder / "config.json", architectures=["BertModel"])
    (folder / "modules.json").write_text(json.dumps(modules))
    assert message in refusal(folder)


@pytest.mark.parametrize("settings", [{"pooling_mode": ["mean", "max"]}, {"pooling_mode": "lasttoken"}])
def test_a_pooling_that_cannot_be_carried_over(tmp_path, settings):
    write_model(make("embedding"), tmp_path / "model", "huggingface")
    (tmp_path / "model" / "1_Pooling" / "config.json").write_text(json.dumps(settings))
    assert "pools by" in refusal(tmp_path / "model")


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("1_Pooling/config.json", {"pooling_mode": "mean", "include_prompt": False}, "include_prompt"),
        ("config_sentence_transformers.json", {"prompts": {"query": 5}}, "query is 5"),
        ("config_sentence_transformers.json", {"prompts": ["query"]}, "prompts is"),
        ("config_sentence_transformers.json", {"default_prompt_name": "query"}, "none of its prompts"),
        ("config_sentence_transformers.json", {"truncate_dim": -1}, "truncate_dim"),
        ("sentence_bert_config.json", {"do_lower_case": "yes"}, "do_lower_case"),
    ],
)
def test_settings_of_sentence_transformers_that_cannot_be_carried_over(tmp_path, name, settings, message):
    task = make("embedding").task | {"prompts": {"query": "ask: "}}
    write_model(dataclasses.replace(make("embedding"), task=task), tmp_path / "model", "huggingface")
    (tmp_path / "model" / name).write_text(json.dumps(settings))
    assert message in refusal(tmp_path / "model")


def test_an_unknown_format(tmp_path):
    with pytest.raises(ConfigError, match="Unknown format 'onnx'"):
        write_model(make("encoder"), tmp_path / "model", "onnx")


def test_an_activation_that_keras_hub_does_not_have(tmp_path):
    with pytest.raises(InputError, match="gelu only"):
        write_model(make("encoder", activation="relu"), tmp_path / "model", "keras_hub")
    assert not list(tmp_path.iterdir())


def test_nothing_but_a_model_is_ever_overwritten(tmp_path):
    precious = tmp_path / "thesis" / "chapter.txt"
    precious.parent.mkdir()
    precious.write_text("all of it")
    with pytest.raises(InputError, match="exists"):
        write_model(make("encoder"), precious.parent)
    with pytest.raises(InputError, match="no model"):
        write_model(make("encoder"), precious.parent, overwrite=True)
    assert precious.read_text() == "all of it"
    write_model(make("encoder"), tmp_path / "model")
    write_model(make("tagging"), tmp_path / "model", "google", overwrite=True)
    assert read_model(tmp_path / "model").task["name"] == "tagging"


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        write_model(make("encoder"), tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.fixture(
    scope="module", params=[*((name, "classification") for name in FORMATS), ("huggingface", "embedding")], ids="-".join
)
def shared_folder(request, tmp_path_factory):
    """A model in each format, written once for all values; a test puts back what it changes."""
    format, kind = request.param
    folder = tmp_path_factory.mktemp("any_value") / "model"
    write_model(make(kind, activation="gelu_tanh"), folder, format)
    return folder


@pytest.mark.parametrize("value", [None, "x", -1, 0, [], {}, [1], {"a": 1}, True, 1.5])
def test_any_value_of_any_setting_is_taken_or_refused(shared_folder, value, monkeypatch):
    # Only settings change, and opening the weights again for each of them would be most of the time.
    monkeypatch.setattr(hdf5, "stored", functools.cache(hdf5.stored))
    for path in sorted(shared_folder.rglob("*.json")):
        whole = path.read_text(encoding="utf-8")
        try:
            for changed in with_one_value_changed(json.loads(whole), value):
                path.write_text(json.dumps(changed))
                try:
                    read_model(shared_folder)
                except InputError as error:
                    assert "\n" not in str(error)
        finally:
            path.write_text(whole, encoding="utf-8")


def with_one_value_changed(data, value):
    """Every copy of nested dicts and lists in which one value is another."""
    yield value
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, inner in items:
        for changed in with_one_value_changed(inner, value):
            copy = data.copy()
            copy[key] = changed
            yield copy


@pytest.mark.parametrize(
    ("model", "message"),
    [({"type": "BPE", "vocab": {}}, "tokenizer.json"), ({"type": "WordPiece", "vocab": {"[UNK]": 3}}, "ids of its")],
)
def test_a_tokenizer_json_that_is_not_berts(folder, model, message):
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer.json").write_text(json.dumps({"model": model}))
    assert message in refusal(folder)
