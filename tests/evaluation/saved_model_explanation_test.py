"""Explanations of SavedModels, whose answers can be computed by hand, and what the verb says of them."""

import json
import types

import pytest
import tensorflow as tf

from bert_tf.cli.explain import explain_texts
from bert_tf.cli.flags import VERBS
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.evaluation.saved_model_explanation import SavedModel, explain_saved_model, find_saved_model


class Praise(tf.Module):
    """The probability of "pos" is a half, and a tenth more for each "good", less for each "bad"."""

    def answer(self, *texts):
        words = tf.strings.split(tf.strings.reduce_join(tf.stack(texts), 0, separator=" "))  # [N, (words)]

        def count(word):
            return tf.reduce_sum(tf.cast(words == word, tf.float32), 1)

        positive = 0.5 + 0.1 * (count("good") - count("bad"))
        return {"probabilities": tf.stack([1 - positive, positive], 1)}

    def signature(self, *names):
        specs = [tf.TensorSpec([None], tf.string, name=name) for name in names]
        return tf.function(self.answer, input_signature=specs, autograph=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Version 2 of a SavedModel."""
    path = tmp_path_factory.mktemp("served")
    model = Praise()
    (path / "labels.txt").write_text("neg\npos\n")
    model.labels = tf.saved_model.Asset(str(path / "labels.txt"))
    signatures = {"serving_default": model.signature("text"), "pair": model.signature("text", "text_pair")}
    tf.saved_model.save(model, str(path / "model/2"), signatures)
    return path / "model"


def test_words_are_worth_what_their_absence_costs(folder):
    assert find_saved_model(folder) == folder / "2"
    model = SavedModel(folder / "2")
    assert (model.TEXTS, model.OPTIONAL_TEXTS) == (("text", "text_pair"), ("text_pair",))
    one, other = explain_saved_model(model, (["a good 很 film", "bad"], ["good good", ""]))
    assert (one.explained, one.texts) == ("pos", ("a good 很 film", "good good"))
    assert one.score == pytest.approx(0.8)
    assert one.baseline == pytest.approx(0.5)
    assert [word["word"] for word in one.words] == ["a", "good", "很", "film", "good", "good"]
    assert [word["attribution"] for word in one.words] == pytest.approx([0, 0.1, 0, 0, 0.1, 0.1], abs=1e-6)
    assert (other.explained, other.texts) == ("neg", ("bad",))
    assert other.words[0]["attribution"] == pytest.approx(0.1)


def test_files_stay_while_words_are_left_out(tmp_path):
    module = Praise()
    tf.saved_model.save(module, str(tmp_path / "model"), {"serving_default": module.signature("text", "image")})
    (tmp_path / "picture.png").write_text("bad")
    model = SavedModel(tmp_path / "model")
    assert (model.TEXTS, model.SPEC.files) == (("text", "image"), ("image",))
    (one,) = explain_saved_model(model, (["good film"], [str(tmp_path / "picture.png")]))
    assert (one.score, one.baseline) == pytest.approx((0.5, 0.6))
    assert [(word["word"], word["text"]) for word in one.words] == [("good", 0), ("film", 0)]
    with pytest.raises(InputError, match="Row 0: .*missing.png cannot be read"):
        list(explain_saved_model(model, (["good"], [str(tmp_path / "missing.png")])))


def test_a_given_label_and_bad_texts(folder):
    model = SavedModel(folder / "2")
    (one,) = explain_saved_model(model, (["good"],), "neg")
    assert one.words[0]["attribution"] == pytest.approx(-0.1)
    with pytest.raises(InputError, match="label 'happy'. The model has: neg, pos"):
        list(explain_saved_model(model, (["good"],), "happy"))
    with pytest.raises(InputError, match="Row 1: The text has no words"):
        list(explain_saved_model(model, (["good", "..."],)))


def test_models_of_other_answers_are_refused(tmp_path):
    module = tf.Module()
    spec = tf.TensorSpec([None], tf.string, name="text")
    module.serve = tf.function(lambda text: {"embedding": tf.zeros([1, 2])}, input_signature=[spec])
    tf.saved_model.save(module, str(tmp_path), {"serving_default": module.serve})
    with pytest.raises(ConfigError, match="returns embedding. Explained are probabilities"):
        SavedModel(tmp_path)


def test_the_verb_says_that_there_are_no_gradients(folder, capsys, caplog):
    values = dict.fromkeys(flag.name for flag in VERBS["explain"].flags) | {"model": str(folder), "text": "good film"}
    explain_texts(types.SimpleNamespace(**values), [])
    line = json.loads(capsys.readouterr().out)
    assert [word["attribution"] for word in line["words"]] == pytest.approx([0.1, 0], abs=1e-6)
    assert "no gradients: it is explained by leave_one_out alone" in caplog.text
    for given in ({"method": "integrated_gradients"}, {"compare": True, "output": "anything"}):
        with pytest.raises(ConfigError, match="no gradients: it is explained by leave_one_out alone"):
            explain_texts(types.SimpleNamespace(**values | given), [])
