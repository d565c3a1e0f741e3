"""What surrounds `fit`: callbacks, compile's options, dtypes, loops of one's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_habits.models import INPUTS, LABELS, TEXTS, around, classifier, encoder

TARGETS = np.array([0, 1])


def fit(model, callbacks=(), epochs=3, **options):
    keras.utils.set_random_seed(2)
    model.compile(options.pop("optimizer", None) or keras.optimizers.Adam(0.01), **options)
    return model.fit(TEXTS, LABELS, batch_size=8, epochs=epochs, verbose=0, seed=0, callbacks=list(callbacks))


@pytest.fixture(scope="module")
def start():
    """The weights from which every run of this file starts, and the losses of a plain run."""
    keras.utils.set_random_seed(1)
    model = classifier()
    weights = model.get_weights()
    return weights, fit(model).history["loss"]


@pytest.fixture
def model(start):
    model = classifier()
    model.set_weights(start[0])
    return model


@pytest.mark.parametrize("options", [{"run_eagerly": True}, {"steps_per_execution": 4}, {"jit_compile": True}], ids=str)
def test_options_of_compile_change_no_loss(start, model, options):
    losses = fit(model, **options).history["loss"]
    assert losses == pytest.approx(start[1], abs=1e-3)
    assert losses[-1] < losses[0]


def test_runs_are_reproduced_by_a_seed(start, model):
    assert fit(model).history["loss"] == pytest.approx(start[1], abs=1e-5)


def test_checkpoints_of_callbacks_open(start, model, tmp_path):
    callbacks = [
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="loss", save_best_only=True),
        keras.callbacks.ModelCheckpoint(
            tmp_path / "best.weights.h5", monitor="loss", save_best_only=True, save_weights_only=True
        ),
        keras.callbacks.EarlyStopping("loss", restore_best_weights=True),
        keras.callbacks.CSVLogger(str(tmp_path / "log.csv")),
        keras.callbacks.TensorBoard(tmp_path / "board"),
        keras.callbacks.ReduceLROnPlateau("loss"),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.01),
    ]
    fit(model, callbacks)
    best = keras.saving.load_model(tmp_path / "best.keras")
    other = classifier()
    other.load_weights(tmp_path / "best.weights.h5")
    for opened in (best, other):
        np.testing.assert_allclose(opened(INPUTS), model(INPUTS), atol=1e-6)
    assert best.predict_text(TEXTS[:1])[0]["label"] == model.predict_text(TEXTS[:1])[0]["label"]


def test_a_backup_is_resumed_where_it_stopped(model, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(KeyboardInterrupt):
        fit(model, [backup, Stop()])
    assert fit(classifier(), [keras.callbacks.BackupAndRestore(tmp_path / "backup")]).epoch[0] >= 1


def test_averages_of_weights_are_swapped_in(model):
    last = {}

    class Keep(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            last["kernel"] = model.classifier.kernel.numpy()

    optimizer = keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.5)
    fit(model, [Keep(), keras.callbacks.SwapEMAWeights()], optimizer=optimizer)
    assert np.abs(model.classifier.kernel.numpy() - last["kernel"]).max() > 1e-4
    assert model.predict_text(TEXTS[:1])[0]["label"] in model.labels


def test_gradients_accumulated_by_keras_move_weights_every_second_step(model):
    model.compile(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2))
    kernels = [model.classifier.kernel.numpy()]
    for _ in range(2):
        model.train_on_batch(INPUTS, TARGETS)
        kernels.append(model.classifier.kernel.numpy())
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert np.abs(kernels[2] - kernels[1]).max() > 0


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("make", [lambda **s: around(encoder(**s)), classifier], ids=["functional", "task"])
def test_16_bits_train(make, dtype):
    model = make(dtype=dtype)
    before = np.asarray(model(INPUTS), "float32")
    model.compile(keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for _ in range(4):
        model.train_on_batch(INPUTS, TARGETS)
    assert np.abs(np.asarray(model(INPUTS), "float32") - before).max() > 0
    assert all(np.isfinite(np.asarray(weight, "float32")).all() for weight in model.get_weights())


def test_a_loss_alone_is_the_mean_that_fit_shows(model):
    loss = model.default_loss()
    logits = model(INPUTS)
    plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(TARGETS, logits)
    assert float(loss(TARGETS, logits)) == pytest.approx(float(plain))
    weights = np.array([3.0, 1.0])
    each = keras.losses.sparse_categorical_crossentropy(TARGETS, logits, from_logits=True)
    assert float(loss(TARGETS, logits, weights)) == pytest.approx(float(np.sum(each * weights) / 4))
    model.compile("sgd")
    assert float(model.test_on_batch(INPUTS, TARGETS)[0]) == pytest.approx(float(plain), abs=1e-6)
    assert float(model.loss(TARGETS, logits)) == pytest.approx(float(plain))


def test_a_loop_of_ones_own_is_a_step_of_fit(start, model):
    loop = classifier()
    loop.set_weights(start[0])
    loss, optimizer = loop.default_loss(), keras.optimizers.SGD(0.1)
    with tf.GradientTape() as tape:
        value = loss(TARGETS, loop(INPUTS, training=True))
    optimizer.apply_gradients(
        zip(tape.gradient(value, loop.trainable_variables), loop.trainable_variables, strict=True)
    )
    model.compile(keras.optimizers.SGD(0.1))
    model.train_on_batch(INPUTS, TARGETS)
    for found, wanted in zip(loop.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-6)
