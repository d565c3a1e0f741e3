"""AdamW and LAMB against their formulas in float64, and against the classes of other projects."""

import keras
import numpy as np
import pytest

from bert_tf.core.errors import ConfigError
from bert_tf.training.config import OPTIMIZERS
from bert_tf.training.optimizers.layerwise import LayerwiseOptimizer
from bert_tf.training.optimizers.make_optimizer import make_optimizer
from bert_tf.training.optimizers.schedules import make_schedule

B1, B2, EPSILON = 0.9, 0.999, 1e-6
WEIGHTS = {"kernel": np.array([[0.5, -1.0], [2.0, 0.25]]), "bias": np.array([0.1, -0.3]), "gamma": np.array([1.0, 1.5])}
GRADIENTS = [
    {"kernel": np.array([[3.0, -0.5], [0.0, 1.0]]), "bias": np.array([0.2, 2.0]), "gamma": np.array([-1.0, 0.01])},
    {"kernel": np.array([[-0.1, 0.2], [0.3, 0.1]]), "bias": np.array([0.2, -0.1]), "gamma": np.array([0.05, 0.0])},
    {"kernel": np.array([[1.0, 2.0], [-3.0, 0.5]]), "bias": np.array([-1.0, 0.3]), "gamma": np.array([0.4, -0.6])},
]


def after_steps(optimizer, gradients=GRADIENTS):
    variables = {name: keras.Variable(value.astype("float32"), name=name) for name, value in WEIGHTS.items()}
    for step in gradients:
        arrays = [keras.ops.convert_to_tensor(step[name], "float32") for name in variables]
        optimizer.apply(arrays, list(variables.values()))
    return {name: keras.ops.convert_to_numpy(variable.value) for name, variable in variables.items()}


def by_formula(rate, decay, direction, correct=True):
    """What the papers say; `direction` of an update, its weights and whether they are decayed says how far to go."""
    weights = {name: value.copy() for name, value in WEIGHTS.items()}
    m, v = ({name: np.zeros_like(value) for name, value in WEIGHTS.items()} for _ in range(2))
    for t, gradients in enumerate(GRADIENTS, 1):
        norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients.values()))
        for name, w in weights.items():
            gradient = gradients[name] / max(norm, 1.0)
            m[name] = B1 * m[name] + (1 - B1) * gradient
            v[name] = B2 * v[name] + (1 - B2) * gradient**2
            c1, c2 = (1 - B1**t, 1 - B2**t) if correct else (1.0, 1.0)
            # The epsilon of Adam's faster form stands beside the uncorrected root.
            weights[name] = w - rate * direction(m[name], v[name], c1, c2, w, decay * (name == "kernel"))
    return weights


def adam_direction(m, v, c1, c2, w, decay):
    return np.sqrt(c2) / c1 * m / (np.sqrt(v) + EPSILON) + decay * w


def lamb_direction(m, v, c1, c2, w, decay):
    update = m / c1 / (np.sqrt(v / c2) + EPSILON) + decay * w
    return update * np.linalg.norm(w) / np.linalg.norm(update) if decay else update


def assert_same(ours, expected):
    for name, value in expected.items():
        # In float32, 1 - 0.999 is 1.3e-5 off: steps of 0.3, as the uncorrected ones are here, of 2e-6.
        np.testing.assert_allclose(ours[name], value, rtol=0, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("correct", [True, False])
@pytest.mark.parametrize(("name", "direction"), [("adamw", adam_direction), ("lamb", lamb_direction)])
def test_three_steps_by_formula(name, direction, correct):
    ours = after_steps(make_optimizer(name, 0.1, weight_decay=0.2, bias_correction=correct))
    assert_same(ours, by_formula(0.1, 0.2, direction, correct))


def test_first_step_by_hand():
    # The gradient's norm is 5, so 3 and 4 are clipped to 0.6 and 0.8. Without bias correction m = 0.1 g and
    # v = 0.001 g^2, so each goes 0.1 / sqrt(0.001) = 3.16228 learning rates, and 0.5 of itself by decay.
    variable = keras.Variable([2.0, -1.0], name="kernel")
    make_optimizer("adamw", 0.1, weight_decay=0.5, epsilon=0.0, bias_correction=False).apply([[3.0, 4.0]], [variable])
    np.testing.assert_allclose(variable.numpy(), [2 - 0.1 - 0.316228, -1 + 0.05 - 0.316228], rtol=5e-6)


def test_adamw_is_that_of_keras():
    reference = keras.optimizers.AdamW(0.1, weight_decay=0.2, epsilon=EPSILON, global_clipnorm=1.0)
    reference.exclude_from_weight_decay(var_names=["bias", "gamma"])
    assert_same(after_steps(make_optimizer("adamw", 0.1, weight_decay=0.2)), after_steps(reference))


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_optimizers_are_those_of_model_garden(name):
    optimization = pytest.importorskip("official.nlp.optimization")
    import tensorflow as tf

    theirs = {"adamw": optimization.AdamWeightDecay, "lamb": optimization.LAMB}[name]
    reference = theirs(0.1, weight_decay_rate=0.2, epsilon=EPSILON, exclude_from_weight_decay=["bias", "gamma"])
    variables = {name: tf.Variable(value, dtype="float32", name=name) for name, value in WEIGHTS.items()}
    for step in GRADIENTS:
        gradients = [tf.constant(step[name], "float32") for name in variables]
        gradients = tf.clip_by_global_norm(gradients, 1.0)[0]
        reference.apply_gradients(zip(gradients, variables.values(), strict=True))
    expected = {name: variable.numpy() for name, variable in variables.items()}
    assert_same(after_steps(make_optimizer(name, 0.1, weight_decay=0.2)), expected)


def test_any_keras_optimizer_is_clipped_and_decayed():
    # The gradient's norm is 5: 3 and 4 are clipped to 0.6 and 0.8. Decay takes 0.1 * 0.5 of the kernel alone.
    kernel, bias = keras.Variable([2.0], name="kernel"), keras.Variable([-1.0], name="bias")
    optimizer = LayerwiseOptimizer(keras.optimizers.SGD(0.1), weight_decay=0.5, clip_norm=1.0)
    optimizer.apply([[3.0], [4.0]], [kernel, bias])
    np.testing.assert_allclose(kernel.numpy(), [2 - 0.1 - 0.06], rtol=1e-6)
    np.testing.assert_allclose(bias.numpy(), [-1 - 0.08], rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_by_name_lowers_a_loss(name):
    kernel = keras.Variable(np.full((2, 2), 2.0, "float32"), name="kernel")
    optimizer = make_optimizer(name, 0.1, weight_decay=0.0)
    for _ in range(5):
        optimizer.apply([2 * kernel.numpy()], [kernel])  # of the sum of squares
    assert int(optimizer.iterations) == 5
    assert 0 < np.sum(kernel.numpy() ** 2) < 16


def test_a_weight_of_zeros_takes_steps_of_the_plain_rate():
    variable = keras.Variable(np.zeros((2, 1), "float32"), name="kernel")
    make_optimizer("lamb", 0.1, epsilon=0.0).apply([np.array([[0.3], [-0.2]], "float32")], [variable])
    np.testing.assert_allclose(variable.numpy(), [[-0.1], [0.1]], rtol=1e-6)


def test_no_clipping_on_request():
    optimizer = make_optimizer("adamw", 0.1, clip_norm=None)
    after_steps(optimizer, GRADIENTS[:1])
    np.testing.assert_allclose(optimizer.inner.momentums[0].numpy(), 0.1 * GRADIENTS[0]["kernel"], rtol=1e-6)


def test_the_norm_before_clipping_is_kept():
    optimizer = make_optimizer("adamw", 0.1, clip_norm=1.0)
    optimizer.apply(
        [[3.0, 0.0], [4.0]], [keras.Variable([1.0, 1.0], name="kernel"), keras.Variable([1.0], name="bias")]
    )
    assert float(optimizer.gradient_norm.numpy()) == pytest.approx(5.0)


def test_variables_that_it_was_not_built_with_are_refused():
    optimizer = make_optimizer("adamw", 0.1)
    optimizer.build([keras.Variable([1.0])])
    with pytest.raises(ValueError, match="Unknown variable"):
        optimizer.apply([[1.0]], [keras.Variable([1.0])])


def test_variables_without_gradients_stay():
    kernel, other = keras.Variable([1.0], name="kernel"), keras.Variable([1.0], name="other_kernel")
    make_optimizer("adamw", 0.1).apply([None, [1.0]], [kernel, other])
    assert kernel.numpy() == 1.0
    assert other.numpy() < 1.0


@pytest.mark.parametrize("xla", [False, True])
def test_looked_up_rows_are_one_gradient(xla):
    """Rows as slices, one of them twice, move the table and the moments as the dense gradient does."""
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow has slices")
    rows, table = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]], "float32"), np.ones((4, 2), "float32")
    dense = np.zeros_like(table)
    np.add.at(dense, [2, 0, 2], rows)
    results = []
    for gradient in (tf.IndexedSlices(tf.constant(rows), tf.constant([2, 0, 2]), tf.constant([4, 2])), dense):
        variable, optimizer = keras.Variable(table, name="embeddings"), make_optimizer("adamw", 0.1)
        optimizer.build([variable])
        step = tf.function(lambda gradient, apply=optimizer.apply: apply([gradient]), jit_compile=xla)
        step(gradient)
        assert float(optimizer.gradient_norm.numpy()) == pytest.approx((1.5**2 + 2.5**2 + 3**2 + 1) ** 0.5)
        step(tf.zeros((4, 2)))  # moments carry on where no row was looked up
        results.append([variable.numpy(), optimizer.inner.momentums[0].numpy(), optimizer.inner.velocities[0].numpy()])
    for ours, expected in zip(*results, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-6)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_graphs_and_loss_scaling_change_nothing(name, xla, scaled):
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("graphs are TensorFlow's")
    optimizer, scale = make_optimizer(name, 0.1, weight_decay=0.2), 1.0
    if scaled:
        optimizer, scale = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=64.0), 64.0
    variables = {name: keras.Variable(value.astype("float32"), name=name) for name, value in WEIGHTS.items()}
    optimizer.build(list(variables.values()))
    step = tf.function(lambda gradients: optimizer.apply(gradients, list(variables.values())), jit_compile=xla)
    for gradients in GRADIENTS:
        step([tf.constant(gradients[name] * scale, "float32") for name in variables])
    expected = after_steps(make_optimizer(name, 0.1, weight_decay=0.2))
    assert_same({name: variable.numpy() for name, variable in variables.items()}, expected)
    if scaled:
        step([tf.constant(value * np.inf, "float32") for value in WEIGHTS.values()])
        assert int(optimizer.iterations) == 3
        assert_same({name: variable.numpy() for name, variable in variables.items()}, expected)


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_a_saved_model_trains_on_as_if_never_saved(name, tmp_path):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2), keras.layers.LayerNormalization()])
    schedule = make_schedule("cosine", 0.01, 20, 4)
    optimizer = make_optimizer(name, schedule, weight_decay=0.3, clip_norm=0.5, beta_2=0.98, bias_correction=False)
    model.compile(optimizer, loss="mse")
    x, y = np.random.default_rng(0).normal(size=(2, 16, 3)).astype("float32")
    model.fit(x, y[:, :2], epochs=3, verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert copy.optimizer.get_config() == optimizer.get_config()
    for each in (model, copy):
        each.fit(x, y[:, :2], epochs=2, shuffle=False, verbose=0)
    assert int(copy.optimizer.iterations) == 5
    for ours, theirs in zip(model.weights, copy.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_wrong_settings_are_refused():
    with pytest.raises(ConfigError, match="adamw, lamb"):
        make_optimizer("sdg", 0.1)
    with pytest.raises(ConfigError, match="layer_decay=1.5"):
        make_optimizer("adamw", 0.1, layer_decay=1.5, stages=["encoder/block_0"])
    with pytest.raises(ConfigError, match="layer_decay=0.5 without stages"):
        make_optimizer("adamw", 0.1, layer_decay=0.5)
    with pytest.raises(ConfigError, match="an inner optimizer with global_clipnorm=1.0"):
        LayerwiseOptimizer(keras.optimizers.SGD(0.1, global_clipnorm=1.0))
    with pytest.raises(ConfigError, match="an inner optimizer of class Nadam"):
        LayerwiseOptimizer(keras.optimizers.Nadam(0.1))
