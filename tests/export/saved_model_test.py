"""The SavedModel: answers after the folder has moved, its files, and refusals."""

import dataclasses
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.export import saved_model
from bert_tf.export.int8_weights import int8_weights, quantize
from bert_tf.export.saved_model import export_saved_model
from bert_tf.tasks import TextClassifier
from tests.export.conftest import ENCODER
from tests.text.tokenizers.byte_bpe_test import small

ASK = """
import json, sys
import tensorflow as tf, tensorflow_text
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
answers = serve(text=tf.constant(json.loads(sys.argv[2])))
print(json.dumps([answers["label"].numpy().astype(str).tolist(), answers["probabilities"].numpy().tolist()]))
"""


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """(the version's folder, its difference to Keras); read only."""
    return export_saved_model(model, tmp_path_factory.mktemp("models") / "name", ["A good Café", "", "bad " * 90])


def test_answers_strings_in_a_new_process_after_a_move(model, texts, exported, tmp_path):
    version, difference = exported
    assert (version.parent.name, version.name) == ("name", "1")
    assert difference < 1e-5
    moved = shutil.copytree(version, tmp_path / "elsewhere")
    done = subprocess.run([sys.executable, "-c", ASK, moved, json.dumps(texts)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    labels, probabilities = json.loads(done.stdout.splitlines()[-1])
    expected = model.predict_text(texts)
    assert labels == [answer["label"] for answer in expected]
    for found, answer in zip(probabilities, expected, strict=True):
        assert found == pytest.approx(list(answer["probabilities"].values()), abs=1e-5)


def test_vocabulary_and_labels_are_assets(model, exported):
    assets = exported[0] / "assets"
    assert (assets / "vocab.txt").read_text(encoding="utf-8").splitlines() == model.tokenizer.vocabulary
    assert (assets / "labels.txt").read_text(encoding="utf-8") == "x\ny\nz\n"


def test_warm_up_requests_run_and_are_short_and_long(model, exported):
    signatures = tf.saved_model.load(str(exported[0])).signatures
    lengths, path = {}, exported[0] / "assets.extra/tf_serving_warmup_requests"
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == "name"
        name, inputs = request.model_spec.signature_name, {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
        signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})
        if name == "serving_default":
            lengths[model.preprocessor(tf.constant(inputs["text"]))["input_ids"].shape[1]] = name
    assert [length // 32 for length in sorted(lengths)] == [0, 1, 2]


def test_int8_weights_are_smaller_and_answer_alike_in_all_signatures(model, texts, exported, tmp_path):
    version, difference = export_saved_model(model, tmp_path / "small", texts, tolerance=0.1, int8=True)
    assert 1e-6 < difference < 0.1
    sizes = []
    for folder in (exported[0], version):
        sizes.append(sum(path.stat().st_size for path in (folder / "variables").iterdir()))
    assert sizes[1] < 0.4 * sizes[0]
    float_signatures, signatures = (tf.saved_model.load(str(folder)).signatures for folder in (exported[0], version))
    assert signatures.keys() == float_signatures.keys()
    answers = signatures["serving_default"](text=tf.constant(texts))
    expected = float_signatures["serving_default"](text=tf.constant(texts))
    np.testing.assert_allclose(answers["probabilities"], expected["probabilities"], atol=0.1)
    with int8_weights(model):
        inside = model.predict_text(texts)
    for found, answer in zip(answers["probabilities"].numpy(), inside, strict=True):
        assert found == pytest.approx(list(answer["probabilities"].values()), abs=1e-5)
    assert model.predict_text(texts)[0]["probabilities"] != inside[0]["probabilities"]  # the model itself is unchanged


def test_constant_weights_answer_alike_and_leave_only_tables_of_lookups(model, texts, exported, tmp_path):
    version, difference = export_saved_model(model, tmp_path / "constant", texts, constants=True)
    assert difference < 1e-5
    found, variables = (tf.saved_model.load(str(folder)) for folder in (version, exported[0]))
    tables = [variable.shape for variable in found.parameters]
    assert 0 < len(tables) < len(variables.parameters)
    assert all(shape[-1] == model.config.embedding_size for shape in tables)
    rows = model.preprocessor(tf.constant(texts * 20))  # several parts
    for name, request in {"serving_default": {"text": tf.constant(texts)}, "tokens": rows, "logits": rows}.items():
        answers, expected = found.signatures[name](**request), variables.signatures[name](**request)
        for key in expected:
            if expected[key].dtype == tf.float32:
                np.testing.assert_allclose(answers[key], expected[key], atol=1e-5)
    card = (version / "README.md").read_text(encoding="utf-8")
    assert "Weights are constants of the graph" in card
    assert model.predict_text(texts[:1])  # the model itself is as before


def test_constant_weights_are_refused_with_int8(model, tmp_path):
    with pytest.raises(ConfigError, match="constant weights in int8"):
        export_saved_model(model, tmp_path / "none", ["text"], int8=True, constants=True)
    assert not list(tmp_path.iterdir())


def test_int8_values_by_hand():
    values, scales = quantize(np.array([[127.0, 0.0], [-63.5, 0.0]]), 0)
    np.testing.assert_array_equal(scales, np.array([[1.0, 1 / 127]], "float32"))
    np.testing.assert_array_equal(values, np.array([[127, 0], [-64, 0]], "int8"))


def test_model_card(exported):
    card = (exported[0] / "README.md").read_text(encoding="utf-8")
    assert "x, y, z (assets/labels.txt; " in card
    assert "| out | `probabilities` | float32 | [any, 3] |" in card
    assert "| out | `classes` | string | [any, 3] |" in card
    assert "probabilities and logits are in their order" in card
    example = "It was the best of times, it was the worst of times."
    assert f'curl -d \'{{"instances": ["{example}"]}}\' localhost:8501/v1/models/name:predict' in card
    assert "import tensorflow_text  # has the tokenizer's operators" in card
    assert f"print(serve(text=tf.constant(['{example}'])))" in card


def test_page_card(exported):
    card = json.loads((exported[0] / "assets.extra/bert_tf.json").read_text(encoding="utf-8"))
    assert card["summary"] == "Chooses one of the labels for a text or a pair of texts."
    assert list(card["example"]) == ["text", "text_pair"]


def test_probabilities_come_with_the_names_of_their_classes(model, texts, exported):
    loaded = tf.saved_model.load(str(exported[0]))
    rows = model.preprocessor(tf.constant(texts))
    answers = loaded.signatures["serving_default"](text=tf.constant(texts)), loaded.signatures["tokens"](**rows)
    for answer in answers:
        assert answer["classes"].numpy().tolist() == [[b"x", b"y", b"z"]] * 4
        best = answer["probabilities"].numpy().argmax(1)
        assert answer["label"].numpy().tolist() == [b"xyz"[i : i + 1] for i in best]


def test_a_tokenizer_with_tables_and_a_family_without_segments(tmp_path):
    tokenizer = small(special_tokens=True)
    settings = ENCODER | {"vocab_size": tokenizer.vocab_size, "hidden_size": 16}
    model = TextClassifier(tokenizer, ["x", "y"], max_length=40, encoder="roberta", **settings)
    path, difference = export_saved_model(model, tmp_path, ["a good dog", ""])
    assert difference < 1e-5
    loaded = tf.saved_model.load(str(path))
    texts = tf.constant(["a good dog"]), tf.constant(["bad"])
    pair = loaded.signatures["pair"](text=texts[0], text_pair=texts[1])["probabilities"].numpy().tolist()
    rows = model.preprocessor(texts)
    assert loaded.signatures["tokens"](**rows)["probabilities"].numpy().tolist() == pair


def test_versions_count_on_and_stay(model, texts, tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "kept").touch()
    (tmp_path / "²").touch()  # a digit, but not a version
    assert export_saved_model(model, tmp_path, texts)[0].name == "8"
    with pytest.raises(InputError, match="7 exists"):
        export_saved_model(model, tmp_path, texts, version=7)
    assert (tmp_path / "7" / "kept").exists()


def test_two_exports_at_once_take_different_versions(model, texts, tmp_path):
    model.save_pretrained(tmp_path / "model")
    ours = tmp_path / "versions"
    command = [sys.executable, "-m", "bert_tf", "export", f"--model={tmp_path}/model", f"--output={ours}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        while not list(ours.glob(".*.tmp/version/variables/*.index")):  # it is writing version 1
            assert other.poll() is None
            time.sleep(0.01)
        other.send_signal(signal.SIGSTOP)
        path, _ = export_saved_model(model, ours, texts)
        written = (path / "saved_model.pb").read_bytes()
        other.send_signal(signal.SIGCONT)
        printed = other.communicate(timeout=120)[0]
    assert (path.name, other.returncode) == ("1", 0)
    assert f"SavedModel written to {ours}/2" in printed
    assert sorted(folder.name for folder in ours.iterdir()) == ["1", "2"]
    assert (path / "saved_model.pb").read_bytes() == written


def test_a_version_taken_meanwhile_is_not_replaced(model, texts, tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model, "write_card", lambda *arguments: (tmp_path / "4").mkdir())
    with pytest.raises(InputError, match="4 exists. Leave --version out for the next one"):
        export_saved_model(model, tmp_path, texts, version=4)
    assert not list((tmp_path / "4").iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["4"]


@pytest.mark.parametrize("output", ["/dev/full", "/dev/null"])
def test_a_device_is_no_folder_for_versions(model, texts, output):
    with pytest.raises(InputError, match=f"{output} is no folder. --output is the folder for the versions"):
        export_saved_model(model, output, texts)


def test_a_failed_export_leaves_nothing(model, texts, tmp_path, monkeypatch):
    def save(module, folder, functions):
        (pathlib.Path(folder) / "half").touch()
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", save)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        export_saved_model(model, tmp_path, texts)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file is no folder. --output is the folder for the versions of the model."):
        export_saved_model(model, tmp_path / "file", texts)


def test_bfloat16_weights_take_half_the_space(model, texts, tmp_path, exported):
    half = type(model).from_checkpoint(model.to_checkpoint(model.tokenizer, model.task_settings()), "", "bfloat16")
    version, difference = export_saved_model(half, tmp_path, texts, reference=model, tolerance=0.05)
    assert 1e-5 < difference < 0.05
    sizes = [next(path.glob("variables/*.data*")).stat().st_size for path in (version, exported[0])]
    assert sizes[0] < 0.6 * sizes[1]


def test_a_wrong_artifact_is_not_kept(model, texts, tmp_path):
    other = type(model)(model.tokenizer, model.labels, 72, **dataclasses.asdict(model.config))
    with pytest.raises(InputError, match="differ from Keras by"):
        export_saved_model(model, tmp_path / "name", texts, reference=other)
    assert not list((tmp_path / "name").iterdir())
