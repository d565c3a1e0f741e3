"""Every format brings back what was written, bit for bit, and says in a line what it has no place for."""

import dataclasses
import itertools
import json

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import InputError
from bert_tf.text.tokenizers.vocabulary import write_vocabulary
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.weights import FORMATS, read_model, read_task, write_model
from bert_tf.weights.io import tf_checkpoint
from bert_tf.weights.schema import part_of
from tests.weights.samples import TASKS, VOCABULARY, make

# Heads that a format has no place for.
WITHOUT = {
    ("keras_hub", "pretrainer"): {"next_sentence"},
    ("keras_hub", "tagging"): {"classifier"},
    ("keras_hub", "question_answering"): {"answer_span"},
    ("model_garden", "classification"): {"classifier"},
    ("model_garden", "tagging"): {"classifier"},
    ("model_garden", "question_answering"): {"answer_span"},
}


def assert_same(actual, expected, without=frozenset()):
    kept = {name: array for name, array in expected.weights.items() if part_of(name) not in without}
    assert actual.weights.keys() == kept.keys()
    for name, array in kept.items():
        np.testing.assert_array_equal(actual.weights[name], array, err_msg=name)
    assert dataclasses.replace(actual, weights={}) == dataclasses.replace(expected, weights={})


@pytest.mark.parametrize(("format", "kind"), list(itertools.product(FORMATS, TASKS)))
def test_round_trip(tmp_path, format, kind):
    checkpoint = make(kind, activation="gelu_tanh")
    without = WITHOUT.get((format, kind), set())
    notes = write_model(checkpoint, tmp_path / "model", format)
    assert {note.split()[0] for note in notes if "left out" in note} == without
    assert_same(read_model(tmp_path / "model"), checkpoint, without)
    assert read_task(tmp_path / "model") == TASKS[kind]


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(FORMATS, 2)))
def test_round_trip_through_two_formats(tmp_path, first, second):
    checkpoint = make("encoder", activation="gelu", layer_norm_epsilon=1e-6, attention_dropout=0.2)
    write_model(checkpoint, tmp_path / "one", first)
    write_model(read_model(tmp_path / "one"), tmp_path / "two", second)
    assert_same(read_model(tmp_path / "two"), checkpoint)


@pytest.mark.parametrize("lower_case", [True, False])
@pytest.mark.parametrize("format", FORMATS)
def test_casing_and_word_length_come_along(tmp_path, format, lower_case):
    text = TextConfig(lower_case=lower_case, strip_accents=not lower_case, split_cjk=False, max_word_chars=50)
    write_model(make("encoder", text=text), tmp_path / "model", format)
    assert read_model(tmp_path / "model").text == text


@pytest.mark.parametrize("format", ["google", "model_garden", "keras_hub"])
def test_another_function_under_the_same_name_is_said(tmp_path, format):
    notes = write_model(make("encoder", activation="gelu", layer_norm_epsilon=1e-5), tmp_path / "model", format)
    assert any("gelu_tanh" in note for note in notes)
    assert any("1e-05" in note for note in notes)
    assert write_model(make("encoder", activation="gelu_tanh"), tmp_path / "same", format) == []


@pytest.mark.parametrize(
    ("format", "config", "key", "ours", "theirs"),
    [
        ("huggingface", "config.json", "hidden_act", "gelu", "gelu"),
        ("huggingface", "config.json", "hidden_act", "gelu_tanh", "gelu_new"),
        ("huggingface", "config.json", "hidden_act", "silu", "silu"),
        ("google", "bert_config.json", "hidden_act", "gelu_tanh", "gelu"),
        ("google", "bert_config.json", "hidden_act", "linear", None),
        ("google", "bert_config.json", "hidden_act", "relu", "relu"),
        ("model_garden", "config.json", "hidden_activation", "gelu_tanh", "gelu"),
    ],
)
def test_activations_have_their_projects_names(tmp_path, format, config, key, ours, theirs):
    write_model(make("encoder", activation=ours), tmp_path / "model", format)
    assert json.loads((tmp_path / "model" / config).read_text())[key] == theirs
    assert read_model(tmp_path / "model").encoder.activation == ours


def tensors_of(prefix):
    return {name: stored.read() for name, stored in tf_checkpoint.stored(str(prefix)).items()}


def test_google_names_and_shapes(tmp_path, golden):
    reference = tensors_of(golden / "google_tf1" / "bert_model.ckpt")
    write_model(read_model(golden / "google_tf1"), tmp_path / "model", "google")
    written = tensors_of(tmp_path / "model" / "bert_model.ckpt")
    assert written.keys() == reference.keys()
    for name, array in reference.items():
        np.testing.assert_array_equal(written[name], array, err_msg=name)


def test_huggingface_names_and_shapes(tmp_path, golden):
    for folder in sorted(golden.glob("hf_*")):
        reference = load_file(folder / "model.safetensors")
        write_model(read_model(folder), tmp_path / folder.name, "huggingface")
        written = load_file(tmp_path / folder.name / "model.safetensors")
        assert written.keys() == reference.keys()
        assert all(np.array_equal(written[name], array) for name, array in reference.items())
        settings = json.loads((tmp_path / folder.name / "config.json").read_text())
        assert settings["architectures"] == json.loads((folder / "config.json").read_text())["architectures"]


def hugging_face_folder(tmp_path, kind="pretrainer"):
    checkpoint = make(kind)
    write_model(checkpoint, tmp_path / "model", "huggingface")
    return tmp_path / "model", checkpoint


@pytest.mark.parametrize(
    ("suffix", "rename"),
    [
        ("today's names", lambda name: name),
        ("without prefix", lambda name: name.removeprefix("bert.")),
        ("old norms", lambda name: name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta")),
    ],
)
def test_huggingface_names_of_all_times(tmp_path, suffix, rename):
    folder, checkpoint = hugging_face_folder(tmp_path)
    tensors = load_file(folder / "model.safetensors")
    tensors["bert.embeddings.position_ids"] = np.arange(6)[np.newaxis]
    tensors["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"]
    tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"]
    save_file({rename(name): tensor for name, tensor in tensors.items()}, folder / "model.safetensors")
    assert_same(read_model(folder), checkpoint)


def test_huggingface_shards(tmp_path):
    folder, checkpoint = hugging_face_folder(tmp_path)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = list(tensors)
    places = {name: f"model-{1 + (i % 3):05}-of-00003.safetensors" for i, name in enumerate(names)}
    for shard in set(places.values()):
        save_file({name: tensors[name] for name in names if places[name] == shard}, folder / shard)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    assert_same(read_model(folder), checkpoint)


@pytest.mark.parametrize(("type_name", "half"), [("F16", np.float16), ("BF16", ml_dtypes.bfloat16)])
def test_huggingface_half_precision(tmp_path, type_name, half):
    folder, checkpoint = hugging_face_folder(tmp_path)
    header, data = {}, b""
    for name, tensor in load_file(folder / "model.safetensors").items():
        end = len(data) + 2 * tensor.size
        header[name] = {"dtype": type_name, "shape": tensor.shape, "data_offsets": [len(data), end]}
        data += tensor.astype(half).tobytes()
    header = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + data)
    rounded = {name: array.astype(half).astype("float32") for name, array in checkpoint.weights.items()}
    assert_same(read_model(folder), dataclasses.replace(checkpoint, weights=rounded))


def test_huggingface_vocabulary_in_tokenizer_json_alone(tmp_path):
    folder, checkpoint = hugging_face_folder(tmp_path)
    (folder / "vocab.txt").unlink()
    assert read_model(folder).vocabulary == VOCABULARY
    (folder / "tokenizer_config.json").unlink()
    assert read_model(folder).text == checkpoint.text


@pytest.mark.parametrize(
    ("pooling", "settings"),
    [
        ("cls", {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}),
        ("max", {"pooling_mode_max_tokens": True}),
        ("mean", {"pooling_mode": "mean", "embedding_dimension": 8}),
        ("cls", {"pooling_mode": ["cls"]}),
    ],
)
def test_sentence_transformers_pooling_in_old_and_new_files(tmp_path, pooling, settings):
    folder, _ = hugging_face_folder(tmp_path, "embedding")
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(settings))
    assert read_task(folder) == TASKS["embedding"] | {"pooling": pooling}


@pytest.mark.parametrize("normalize", [True, False])
def test_sentence_transformers_normalisation(tmp_path, normalize):
    task = TASKS["embedding"] | {"normalize": normalize}
    write_model(dataclasses.replace(make("embedding"), task=task), tmp_path / "model", "huggingface")
    assert read_model(tmp_path / "model").task == task


PROMPTS = {"prompts": {"query": "ask: ", "document": ""}, "default_prompt_name": "query", "truncate_dim": 5}


@pytest.mark.parametrize("format", FORMATS)
def test_prompts_and_truncation_come_back(tmp_path, format):
    checkpoint = dataclasses.replace(make("embedding", activation="gelu_tanh"), task=TASKS["embedding"] | PROMPTS)
    write_model(checkpoint, tmp_path / "model", format)
    assert_same(read_model(tmp_path / "model"), checkpoint)


def test_prompts_are_in_the_file_of_sentence_transformers(tmp_path):
    checkpoint = dataclasses.replace(make("embedding"), task=TASKS["embedding"] | PROMPTS)
    write_model(checkpoint, tmp_path / "model", "huggingface")
    assert json.loads((tmp_path / "model" / "config_sentence_transformers.json").read_text()) == PROMPTS


@pytest.mark.parametrize(
    ("lower_case", "strip_accents", "expected"),
    [(False, None, (True, False)), (False, True, (True, True)), (True, None, (True, None))],
)
def test_lower_casing_of_sentence_transformers(tmp_path, lower_case, strip_accents, expected):
    text = TextConfig(lower_case=lower_case, strip_accents=strip_accents)
    write_model(make("embedding", text=text), tmp_path / "model", "huggingface")
    path = tmp_path / "model" / "sentence_bert_config.json"
    path.write_text(json.dumps({"max_seq_length": 6, "do_lower_case": True}))
    opened = read_model(tmp_path / "model")
    assert (opened.text.lower_case, opened.text.strip_accents) == expected
    assert Tokenizer(opened.vocabulary, opened.text)("A B").numpy().tolist() == [8, 9]


@pytest.mark.parametrize("kind", ["classification", "question_answering"])
def test_google_reads_what_its_fine_tuning_scripts_save(tmp_path, kind):
    checkpoint = make(kind, activation="gelu_tanh")
    write_model(checkpoint, tmp_path / "model", "google")
    prefix = tmp_path / "model" / "bert_model.ckpt"
    tensors = tensors_of(prefix)
    head = {"classification": "output_weights", "question_answering": "cls/squad/output_weights"}[kind]
    assert tensors[head].shape == ({"classification": 3, "question_answering": 2}[kind], 8)
    with_optimizer = tensors | {f"{head}/adam_m": tensors[head], f"{head}/adam_v": tensors[head]}
    tf_checkpoint.write_names(prefix, with_optimizer | {"bert/pooler/dense/kernel/adam_m": tensors[head]})
    assert_same(read_model(tmp_path / "model"), checkpoint)


@pytest.mark.parametrize(("token", "lower_case"), [("##N", False), ("##n", True)])
def test_google_casing_is_read_from_the_tokens(tmp_path, token, lower_case):
    vocabulary = [*VOCABULARY[:5], token, "ß", "北", "1", "2", "3"]
    write_model(make("encoder", vocabulary), tmp_path / "model", "google")
    config = tmp_path / "model" / "bert_config.json"
    settings = json.loads(config.read_text())
    del settings["bert_tf"]
    config.write_text(json.dumps(settings))
    assert read_model(tmp_path / "model").text == TextConfig(lower_case=lower_case)


@pytest.mark.parametrize("format", FORMATS)
def test_an_embedding_with_padding_comes_back_unchanged(tmp_path, format):
    checkpoint = make("encoder", activation="gelu_tanh", vocab_size=64)  # of 11 tokens
    write_model(checkpoint, tmp_path / "model", format)
    assert_same(read_model(tmp_path / "model"), checkpoint)


ADDED = TextConfig(added_tokens=("[ENT]",), added_any_case=("Covid19",))


@pytest.mark.parametrize("format", FORMATS)
def test_added_tokens_come_back_and_stay_whole(tmp_path, format):
    vocabulary = [*VOCABULARY[:9], "[ENT]", "Covid19"]
    checkpoint = make("encoder", vocabulary, ADDED, activation="gelu_tanh")
    write_model(checkpoint, tmp_path / "model", format)
    opened = read_model(tmp_path / "model")
    assert_same(opened, checkpoint)
    tokenizer = Tokenizer(opened.vocabulary, opened.text)
    assert tokenizer(["a[ENT] a COVID19a", "[ent]"]).to_list() == [[8, 9, 8, 10, 8], [1, 1, 1]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", None),
        (
            "tokenizer_config.json",
            {"added_tokens_decoder": {"9": {"content": "[ENT]", "special": True}, "10": {"content": "Covid19"}}},
        ),
        ("added_tokens.json", {"[ENT]": 9, "Covid19": 10}),
    ],
)
def test_added_tokens_are_found_in_each_of_their_files(tmp_path, name, content):
    write_model(make("encoder", [*VOCABULARY[:9], "[ENT]", "Covid19"], ADDED), tmp_path / "model", "huggingface")
    write_vocabulary(tmp_path / "model" / "vocab.txt", VOCABULARY[:9])  # that of the tokenizer to which they were added
    if content:
        (tmp_path / "model" / "tokenizer.json").unlink()
        (tmp_path / "model" / name).write_text(json.dumps(content))
    opened = read_model(tmp_path / "model")
    assert opened.vocabulary[9:] == ["[ENT]", "Covid19"]
    assert set(opened.text.added_tokens + opened.text.added_any_case) == {"[ENT]", "Covid19"}


@pytest.mark.parametrize("number", ["12", "-1", "x", "9" * 5000])
def test_an_added_token_whose_id_is_not_free(tmp_path, number):
    write_model(make("encoder"), tmp_path / "model", "huggingface")
    decoder = {"added_tokens_decoder": {number: {"content": "[ENT]", "special": True}}}
    (tmp_path / "model" / "tokenizer_config.json").write_text(json.dumps(decoder))
    with pytest.raises(InputError, match="the added token '\\[ENT\\]' has the id"):
        read_model(tmp_path / "model")


@pytest.mark.parametrize("format", FORMATS)
def test_blank_lines_and_doubles_of_a_vocabulary_come_back_unchanged(tmp_path, format):
    checkpoint = make("encoder", [*VOCABULARY[:7], "", "a", "a", ""], activation="gelu_tanh")
    checkpoint.vocabulary[-1] = "c"
    write_model(checkpoint, tmp_path / "model", format)
    assert_same(read_model(tmp_path / "model"), checkpoint)


def test_model_garden_keeps_a_pooler_of_the_head_that_differs(tmp_path, golden):
    checkpoint = read_model(golden / "model_garden")
    assert "next_sentence_pooler/kernel" in checkpoint.weights
    assert write_model(checkpoint, tmp_path / "model", "model_garden") == []
    assert_same(read_model(tmp_path / "model"), checkpoint)
