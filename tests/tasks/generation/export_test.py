"""A SavedModel that writes text: the search is inside, and an export that writes other texts is refused."""

import pytest
import tensorflow as tf

from bert_tf.core.errors import InputError
from bert_tf.export.saved_model import export_saved_model
from tests.tasks.generation.task_test import make

TEXTS = ["a good film", "good", "the film is bad"]


@pytest.mark.parametrize("settings", [{"num_beams": 2}, {"seed": 3}])
def test_a_saved_model_writes_the_texts_of_keras(tmp_path, settings):
    model = make("prefix", initializer_range=0.5, **settings)
    path, difference = export_saved_model(model, tmp_path / "served", TEXTS)
    assert difference == 0
    signatures = tf.saved_model.load(str(path)).signatures
    written = signatures["serving_default"](text=tf.constant(TEXTS))["generated_text"].numpy()
    assert [text.decode() for text in written] == model.generate(TEXTS)
    rows = model.preprocessor.inference_inputs(model.preprocessor.encode_texts(TEXTS))
    ids = signatures["tokens"](**rows)["token_ids"].numpy()
    assert ids.tolist() == model.generate_tokens(rows["input_ids"], rows["input_mask"]).tolist()


def test_an_export_that_writes_other_texts_is_refused(tmp_path, monkeypatch):
    model = make(initializer_range=0.5)
    serve = model.serve

    def with_another_word(*texts):
        answers = serve(*texts)
        return answers if tf.executing_eagerly() else answers | {"generated_text": answers["generated_text"] + "!"}

    monkeypatch.setattr(model, "serve", with_another_word)
    with pytest.raises(InputError, match="differ from Keras by inf"):
        export_saved_model(model, tmp_path / "served", TEXTS)
