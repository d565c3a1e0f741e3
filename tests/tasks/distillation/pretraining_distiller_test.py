"""A student in pretraining learns a teacher's distributions over masked tokens and its inner vectors."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.tasks.distillation.pretraining_distiller import PretrainingDistiller, with_taught

SIZES = {"vocab_size": 12, "num_heads": 2, "intermediate_size": 16, "max_positions": 16, "initializer_range": 0.3}
ALL = {"weight": 0.8, "temperature": 2.0, "hidden_weight": 1.0, "relation_weight": 1.0}


def make(hidden_size=8, num_layers=1):
    dropout = {"hidden_dropout": 0.0, "attention_dropout": 0.0}
    return BertPretrainer(hidden_size=hidden_size, num_layers=num_layers, next_sentence=False, **SIZES, **dropout)


@pytest.fixture
def distiller():
    keras.utils.set_random_seed(1)
    distiller = PretrainingDistiller(make(), make(12, 2), **ALL)
    distiller.compile(keras.optimizers.Adam(0.02))
    return distiller


def batch(taught):
    rng = np.random.default_rng(0)
    ids = rng.integers(1, 12, [4, 6]).astype("int32")
    mask = np.array([[1] * 6, [1] * 6, [1] * 4 + [0] * 2, [1] * 3 + [0] * 3], "int32")
    positions = np.array([[1, 3], [2, 5], [1, 0], [2, 0]], "int32")
    x = {"input_ids": ids * mask, "input_mask": mask, "segment_ids": 0 * mask, "masked_lm_positions": positions}
    y = {"masked_lm_logits": np.take_along_axis(ids, positions, 1)}
    weight = {"masked_lm_logits": np.array([[1, 1], [1, 1], [1, 0], [1, 0]], "float32")}
    return with_taught(tf.nest.map_structure(tf.constant, x), y, weight, taught)


def test_losses_are_those_of_the_formulas(distiller):
    x, y, weight = batch(distiller.taught)
    found = distiller(x, training=True)
    student, teacher = distiller.student, distiller._teacher.model
    ours, theirs = (tf.nn.log_softmax(model(x)["masked_lm_logits"] / 2.0) for model in (student, teacher))
    divergence = 4.0 * np.sum(np.exp(theirs) * (theirs - ours), -1)  # [B, P]
    np.testing.assert_allclose(found["teacher"], divergence, rtol=1e-4, atol=1e-5)
    states, followed = (model.encoder(x, all_outputs=True)["hidden_states"] for model in (student, teacher))
    error = np.mean((distiller.projection(states[1]).numpy() - followed[2].numpy()) ** 2, -1)  # [B, S]
    mask = x["input_mask"].numpy()
    np.testing.assert_allclose(found["hidden"], (error * mask).sum(1) / mask.sum(1), rtol=1e-4)
    assert np.all(found["relations"].numpy() > 1e-5)
    taken, logits = weight["masked_lm_logits"], student(x)["masked_lm_logits"]
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(y["masked_lm_logits"], logits).numpy()
    means = [(values * taken).sum() / taken.sum() for values in (entropy, divergence)]
    expected = 0.2 * means[0] + 0.8 * means[1] + np.mean(found["hidden"]) + np.mean(found["relations"])
    assert float(distiller.compute_loss(x, y, found, weight)) == pytest.approx(expected, rel=1e-4)


def test_a_student_learns_from_its_teacher_alone(distiller):
    data = batch(distiller.taught)
    kept = [weight.numpy() for weight in distiller._teacher.model.weights]
    first = distiller.test_on_batch(*data, return_dict=True)
    for _ in range(40):
        distiller.train_on_batch(*data)
    last = distiller.test_on_batch(*data, return_dict=True)
    for name in ("teacher_loss", "hidden_loss", "relations_loss"):
        assert last[name] < 0.7 * first[name], name
    for weight, value in zip(distiller._teacher.model.weights, kept, strict=True):
        np.testing.assert_array_equal(weight, value)
    assert len(distiller.trainable_variables) == len(distiller.student.trainable_variables) + 2  # the projection


def test_layers_that_do_not_fit():
    with pytest.raises(ConfigError, match=r"layers=\[3\]. Give a layer of the teacher, from 1 to 2, for each of"):
        PretrainingDistiller(make(), make(8, 2), hidden_weight=1.0, layers=[3])
