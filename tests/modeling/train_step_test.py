"""Steps of `fit`, which call their graph themselves, against Keras's own on the same batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.tasks import TextClassifier
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import LABELS, SIZES, TEXTS, VOCABULARY

if keras.backend.backend() != "tensorflow":
    pytest.skip("on TensorFlow alone", allow_module_level=True)


def make_model(**compile):
    keras.utils.set_random_seed(0)
    model = TextClassifier(Tokenizer(VOCABULARY), ["neg", "pos"], max_length=12, **SIZES)
    model.compile(keras.optimizers.SGD(0.1), **compile)
    return model


def batches(model, rows):
    return model.dataset(TEXTS, LABELS, rows, shuffle=True, seed=5)


def test_fit_takes_the_steps_of_train_on_batch():
    ours, keras_own, eager = make_model(), make_model(), make_model(run_eagerly=True)
    for rows in (8, 6):  # another number of rows and other lengths in the second `fit`, and a rest at its end
        history = ours.fit(batches(ours, rows), epochs=2, shuffle=False, verbose=0).history
        slowly = eager.fit(batches(eager, rows), epochs=2, shuffle=False, verbose=0).history
        for name, values in slowly.items():
            assert history[name] == pytest.approx(values, rel=1e-5)
        for batch in [*batches(keras_own, rows), *batches(keras_own, rows)]:
            keras_own.train_on_batch(*batch)
    assert ours.optimizer.iterations == keras_own.optimizer.iterations == 2 * (4 + 6)
    for mine, other, slow in zip(ours.weights, keras_own.weights, eager.weights, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5, err_msg=mine.path)
        np.testing.assert_allclose(mine, slow, atol=1e-5, err_msg=mine.path)


def nodes_of_step(parts):
    model = make_model(accumulation_steps=parts)
    batch = next(iter(batches(model, 8)))
    model.train_on_batch(*batch)  # makes the metrics' variables
    step = tf.function(model.train_step).get_concrete_function(batch).graph.as_graph_def()
    return len(step.node) + sum(len(function.node_def) for function in step.library.function)


def test_more_parts_of_a_batch_do_not_repeat_the_graph_of_the_model():
    assert nodes_of_step(8) < 1.5 * nodes_of_step(2)
