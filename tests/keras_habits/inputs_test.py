"""Inputs of encoders, and of all models around them: which may be left out, their names, and what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import InputError
from tests.keras_habits.models import BUILDERS, DIFFERENT, IDS, INPUTS, around, classifier, encoder

# With a second segment, so that a mix-up of mask and segments would show.
SEGMENTS = np.array([[0, 0, 1, 1], [0, 0, 0, 0]], "int32")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return encoder()


def pooled(model, inputs):
    return np.asarray(model(inputs)["pooled_output"])


def test_mask_and_segments_may_be_left_out(model):
    np.testing.assert_array_equal(pooled(model, {"input_ids": IDS}), pooled(model, INPUTS))
    np.testing.assert_array_equal(np.asarray(classifier()({"input_ids": IDS})).shape, (2, 2))


@pytest.mark.parametrize("kind", [np.int64, tf.constant, np.ndarray.tolist, np.float32])
def test_ids_of_any_kind(model, kind):
    np.testing.assert_array_equal(pooled(model, {"input_ids": kind(IDS)}), pooled(model, INPUTS))


def test_names_of_hugging_face(model):
    theirs = {"input_ids": IDS, "attention_mask": INPUTS["input_mask"], "token_type_ids": SEGMENTS}
    found = pooled(model, theirs)
    np.testing.assert_array_equal(found, pooled(model, INPUTS | {"segment_ids": SEGMENTS}))
    assert np.abs(found - pooled(model, INPUTS)).max() > 1e-4


@pytest.mark.parametrize("inputs", [IDS, [IDS, IDS], {"ids": IDS}, {"input_mask": IDS}], ids=str)
def test_other_inputs_get_a_sentence_with_the_names(model, inputs):
    with pytest.raises(InputError, match=r"Received: .*'input_ids'.*'input_mask'.*'segment_ids'"):
        model(inputs)


def test_one_input_under_two_names_is_refused(model):
    with pytest.raises(InputError, match="'input_mask' under two names"):
        model(INPUTS | {"attention_mask": IDS})


@pytest.mark.parametrize("names", [["input_ids"], ["input_ids", "input_mask"]], ids=len)
def test_functional_models_of_some_inputs(names, tmp_path):
    model = around(encoder(), names)
    inputs = {name: INPUTS[name] for name in names}
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(opened.predict(inputs, verbose=0), model.predict(inputs, verbose=0), atol=1e-6)


# MultiTask is not exported: `save_pretrained` writes a folder for each task.
EXPORTED = [
    pytest.param(kind, marks=() if kind in DIFFERENT else pytest.mark.soak) for kind in BUILDERS if kind != "multi_task"
]


@pytest.mark.parametrize("sample", EXPORTED, indirect=True)
def test_export_of_a_model_that_was_never_called(sample, tmp_path):
    sample.model.export(tmp_path / "export", verbose=False)
    inputs = {name: tf.constant(value, "int32") for name, value in sample.inputs.items()}
    exported = tf.saved_model.load(tmp_path / "export")
    served = exported.serve(inputs)
    for found, wanted in zip(keras.tree.flatten(served), sample.outputs(), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_an_input_of_strings_is_refused_with_what_works():
    with pytest.raises(InputError, match="keras.Input of strings. A functional model takes the tokens"):
        classifier()(keras.Input((), dtype="string"))
