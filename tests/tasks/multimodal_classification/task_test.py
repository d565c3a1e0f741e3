"""Texts with pictures and sounds: answers depend on them, bad files are named, text alone is answered."""

import base64
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import bert_tf
from bert_tf.core.config import TextConfig
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.readers.examples import FileConfig, read_examples
from bert_tf.evaluation.explain import explain
from bert_tf.evaluation.explanation_page import write_page
from bert_tf.export import tflite
from bert_tf.export.attention import attention
from bert_tf.export.litert_model import LiteRTModel
from bert_tf.export.litert_task import on_device
from bert_tf.export.runtimes import export_runtime
from bert_tf.export.saved_model import export_saved_model
from bert_tf.export.signatures import check_request
from bert_tf.export.tflite import export_tflite
from bert_tf.media.images import example_image
from bert_tf.media.sounds import example_sound, wav
from bert_tf.media.vectors import npy
from bert_tf.modeling.families.bert import BertEncoder
from bert_tf.tasks import TASKS, MultimodalClassifier, TextClassifier
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import SIZES, VOCABULARY

RATE = 8000
BOTH = {
    "modalities": ("image", "audio"),
    "image_size": 16,
    "image_patch": 8,
    "audio_rate": RATE,
    "audio_seconds": 0.2,
    "audio_bands": 8,
}


def make(**settings):
    keras.utils.set_random_seed(1)
    values = {"labels": ["no", "yes"], "max_length": 12, "initializer_range": 0.3, **BOTH, **SIZES, **settings}
    return MultimodalClassifier(Tokenizer(VOCABULARY, TextConfig()), **values)


@pytest.fixture(scope="module")
def model():
    return make()


def logits_of(model, image="", audio=""):
    return model(model.text_inputs((["good film"], [image], [audio]))).numpy()[0]


def png(shade):
    return tf.io.encode_png(np.full((16, 16, 3), shade, "uint8")).numpy()


def test_answers_depend_on_every_file(model):
    asked = [
        logits_of(model, image, audio)
        for image, audio in [
            ("", ""),
            (png(0), ""),
            (png(255), ""),
            ("", example_sound(RATE)),
            (png(0), example_sound(RATE)),
        ]
    ]
    for i, one in enumerate(asked):
        for other in asked[:i]:
            assert np.abs(one - other).max() > 1e-3


def test_a_text_alone_has_the_answer_that_the_encoder_gives_to_its_words(model):
    inputs = model.text_inputs((["good film"], [""], [""]))
    words = {name: inputs[name] for name in ("input_ids", "input_mask", "segment_ids")}
    alone = TextClassifier(model.tokenizer, ["no", "yes"], 12, encoder=model.encoder)
    alone.classifier.set_weights(model.classifier.get_weights())
    np.testing.assert_allclose(model(inputs), alone(words), atol=1e-6)
    assert model.predict_text(["good film"]) == model.predict_text((["good film"], [""], [""]))
    assert model.predict_text({"text": ["good film"]}) == model.predict_text(["good film"])


def test_vectors_of_a_file_change_the_answer(tmp_path):
    sensor = make(modalities=["vectors"], vectors_length=3, vectors_size=2)
    np.save(tmp_path / "a.npy", np.ones([2, 2], "float32"))
    asked = (["film"] * 3, [tmp_path / "a.npy", npy(np.zeros([1, 2])), ""])
    one, other, alone = (answer["probability"] for answer in sensor.predict_text(asked))
    assert len({round(one, 4), round(other, 4), round(alone, 4)}) == 3
    sensor.save_pretrained(tmp_path / "model")
    assert bert_tf.load(tmp_path / "model").predict_text(asked) == sensor.predict_text(asked)
    with pytest.raises(InputError, match=r"Row 0: the vectors .*has shape \(2, 2\); the model reads \[T, 3\]"):
        make(modalities=["vectors"], vectors_size=3).predict_text((["film"], [tmp_path / "a.npy"]))


def test_a_backbone_is_saved_with_the_model(tmp_path):
    inputs = keras.Input([16, 16, 3])
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(inputs)
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(6, 4, strides=4)(x))
    backbone = keras.Model(inputs, x, name="mine")  # [N, 4, 4, 6]
    model = make(modalities=["image"], image_backbone=backbone)
    assert (model.config.feature_size, model.config.feature_positions) == (6, (4, 4))
    asked = (["good film"] * 2, [png(0), png(255)])
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(asked, ["no", "yes"], epochs=2, verbose=0)
    assert not np.allclose(model.image_features.backbone.get_weights()[0], backbone.get_weights()[0])  # a copy learns
    model.save_pretrained(tmp_path / "model")
    assert bert_tf.load(tmp_path / "model").predict_text(asked) == model.predict_text(asked)
    backbone.save(tmp_path / "mine.keras")
    again = make(modalities=["image"], image_backbone_file=str(tmp_path / "mine.keras"))
    np.testing.assert_array_equal(again.image_features.backbone.get_weights()[0], backbone.get_weights()[0])
    flat = keras.Model(inputs, keras.layers.Flatten()(x))
    with pytest.raises(ConfigError, match=r"returns \(None, 96\). It must return features"):
        make(modalities=["image"], image_backbone=flat)
    with pytest.raises(ConfigError, match="The backbone no.keras cannot be read"):
        make(modalities=["image"], image_backbone_file="no.keras")


def test_silence_after_a_short_sound_is_padding(model):
    short = wav(np.full(200, 3000, "<i2").tobytes(), RATE)
    inputs = model.text_inputs((["film"], [""], [short]))
    assert inputs["audio_mask"].numpy().tolist() == [[1, 0, 0, 0, 0]]
    assert inputs["audio"].shape == (1, 1600)


def test_dropout_hides_whole_files(model):
    hiding = make(modality_dropout=0.5)
    inputs = model.text_inputs((["film"] * 8, [png(0)] * 8, [""] * 8))
    logits = hiding(inputs, training=True).numpy()
    with_picture = hiding(inputs).numpy()[0]
    alone = hiding(hiding.text_inputs((["film"], [""], [""]))).numpy()[0]
    kinds = {tuple(np.round(row, 3)) for row in logits}
    assert kinds == {tuple(np.round(with_picture, 3)), tuple(np.round(alone, 3))}


def test_a_folder_keeps_modalities_and_a_text_model_becomes_one(model, tmp_path):
    convolutions = make(modalities=["image"], image_size=32, image_patch=16, image_network="convolutions")
    for name, saved in (("both", model), ("convolutions", convolutions)):
        saved.save_pretrained(tmp_path / name)
        loaded = bert_tf.load(tmp_path / name)
        assert (loaded.TEXTS, loaded.config) == (saved.TEXTS, saved.config)
        asked = (["good film"] * 2, [png(0), png(255)])
        assert loaded.predict_text(asked) == saved.predict_text(asked)
    other = MultimodalClassifier.from_pretrained(tmp_path / "convolutions", labels=["a", "b", "c"])
    networks = [name for name in other.named_weights if name.startswith("image_features/")]
    assert len(networks) == 12
    for name in networks:
        np.testing.assert_array_equal(other.named_weights[name], convolutions.named_weights[name])
    BertEncoder(**SIZES).save_pretrained(tmp_path / "words", Tokenizer(VOCABULARY))
    settings = {"labels": ["no", "yes"], "max_length": 12, "modalities": ["image"], "image_size": 8, "image_patch": 4}
    fresh = MultimodalClassifier.from_pretrained(tmp_path / "words", **settings)
    assert (fresh.config.feature_size, fresh.config.feature_positions) == (48, (2, 2))


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"modalities": ["image", "image"]}, "each once"),
        ({"modalities": []}, "Choose from image, audio"),
        ({"image_patch": 5}, "The size must be a multiple of the patch"),
        ({"image_network": "convolutions"}, "set image_patch=16"),
        ({"audio_rate": 10}, "at least 1000 samples a second"),
        ({"modality_dropout": 1.0}, r"must be in \[0, 1\)"),
    ],
)
def test_impossible_settings(settings, match):
    with pytest.raises(ConfigError, match=match):
        make(**settings)


def test_files_of_examples_name_files_and_rows(tmp_path):
    picture = make(modalities=["image"])
    (tmp_path / "ok.png").write_bytes(example_image())
    (tmp_path / "cut.png").write_bytes(example_image()[:-20])
    rows = ["yes\tfilm\tok.png", "no\tfilm\tcut.png", "no\tfilm\tno.png", "no\tfilm\t", "no\t\tok.png"]
    (tmp_path / "rows.tsv").write_text("\n".join(["label\ttext\timage", *rows]))
    spec = TASKS["multimodal_classification"]
    examples = read_examples(tmp_path / "rows.tsv", FileConfig(), spec)
    assert examples.texts[1][0] == str(tmp_path / "ok.png")
    with pytest.raises(InputError, match=r"rows.tsv, line 3: the image .*cut.png cannot be decoded: it is truncated"):
        examples.checked(picture)
    skipping = read_examples(tmp_path / "rows.tsv", FileConfig(skip_bad_rows=True), spec)
    assert len(skipping.checked(picture)) == 1
    assert skipping.bad.count == 4
    with pytest.raises(InputError, match="3 columns. The model reads text, image"):
        picture.predict_text((["film"], [""], [""]))
    with pytest.raises(InputError, match="different numbers: 1 of text, 2 of image"):
        picture.predict_text((["film"], ["", ""]))


def test_what_is_not_exported_is_refused(model, tmp_path):
    with pytest.raises(ConfigError, match="--format=onnx for a model of text, image, audio"):
        export_runtime(model, tmp_path / "onnx", "onnx", None)


def test_attention_of_words_to_words_and_files_is_all_there_is(model):
    asked = (["good film", "bad"], [png(0), ""], ["", example_sound(RATE)])
    found = {name: value.numpy() for name, value in attention(model, list(map(tf.constant, asked))).items()}
    layers, tokens = found["attention"].shape[1:3]
    assert found["image_attention"].shape == (2, layers, tokens, 2, 2)
    assert found["audio_attention"].shape == (2, layers, tokens, 5, 1)
    real = found["pieces"] != b""  # [N, S]
    total = sum(found[f"{name}attention"].reshape(2, layers, tokens, -1).sum(-1) for name in ("", "image_", "audio_"))
    np.testing.assert_allclose(total, np.broadcast_to(real[:, None], total.shape), atol=1e-5)
    assert (found["image_attention"][0, :, real[0]] > 0).all()
    assert found["image_attention"][1].max() == found["audio_attention"][0].max() == 0  # without a file


def test_explanations_hide_one_feature_of_a_file_after_the_other(model, tmp_path):
    asked = (["good film"], [png(0)], [""])
    (rollout,) = explain(model, asked, "attention_rollout")
    assert rollout.files.keys() == {"image"}
    assert 0 < np.sum(rollout.files["image"]) < 1
    (explanation,) = explain(model, asked, "leave_one_out", label="yes")
    inputs = model.text_inputs(asked)
    hidden = inputs | {"image_mask": tf.constant([[1, 1, 0, 1]])}  # the second row's first patch
    expected = float(model(inputs)[0, 1] - model(hidden)[0, 1])
    assert explanation.files["image"][1][0] == pytest.approx(expected, abs=1e-5)
    write_page(tmp_path / "page.html", "pictures", [explanation])
    page = (tmp_path / "page.html").read_text()
    assert f"data:image/png;base64,{base64.b64encode(png(0)).decode()}" in page
    assert f'title="{expected:+.3f}"' in page


def test_a_saved_model_takes_bytes(model, tmp_path):
    path, difference = export_saved_model(model, tmp_path / "served", check_request(model))
    assert difference <= 1e-4
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    asked = {"text": ["good film"] * 2, "image": [png(0), b""], "audio": [b"", example_sound(RATE)]}
    answers = serve(**{name: tf.constant(column) for name, column in asked.items()})
    expected = [answer["probability"] for answer in model.predict_text(asked)]
    np.testing.assert_allclose(answers["probability"], expected, atol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError):
        serve(**{name: tf.constant([value]) for name, value in zip(asked, ("film", b"GIF89a", b""), strict=True)})
    card = json.loads((path / "assets.extra/bert_tf.json").read_text())
    assert base64.b64decode(card["example"]["image"]["b64"]) == example_image()


def test_a_tflite_file_takes_pixels_and_samples(model, tmp_path, monkeypatch):
    monkeypatch.setattr(tflite, "_latency", lambda *arguments: {})
    report = export_tflite(model, tmp_path / "model.tflite", [12], check_request(model), "none")
    assert report["error"][12] < 1e-4
    litert = LiteRTModel(tmp_path / "model.tflite")
    asked = (["good film", "bad", "bad"], [png(0), png(255), ""], ["", example_sound(RATE), ""])
    rows = model.preprocessor(model.preprocessor.encode_texts(asked), 12)
    np.testing.assert_allclose(litert(rows)["probabilities"], tf.nn.softmax(model(rows)), atol=1e-5)
    answers = [answer["probability"] for answer in on_device(model, litert).predict_text(asked)]
    np.testing.assert_allclose(answers, [answer["probability"] for answer in model.predict_text(asked)], atol=1e-5)
    (runner,) = Interpreter(str(tmp_path / "model.tflite")).get_signature_list().values()
    assert runner["inputs"] == [
        *("audio", "audio_mask", "image", "image_mask"),
        *("input_mask", "input_type_ids", "input_word_ids"),
    ]
    with pytest.raises(ConfigError, match="ranges would be learned from texts alone"):
        export_tflite(model, tmp_path / "full.tflite", [12], check_request(model), "int8_full", ["film"], (asked, []))


def test_one_graph_takes_text_and_contents(model):
    specs = list(model.text_specs().values())
    assert [spec.name for spec in specs] == ["text", "image", "audio"]
    asked = (["good film", "bad"], [png(0), ""], ["", example_sound(RATE)])
    answers = tf.function(model.serve, input_signature=specs)(*map(tf.constant, asked))
    expected = [answer["probability"] for answer in model.predict_text(asked)]
    np.testing.assert_allclose(answers["probability"], expected, atol=1e-6)
