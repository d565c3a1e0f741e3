"""Rates layer by layer, freezing, and setting layers free."""

import keras
import numpy as np
import pytest

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.families.bert import BertEncoder
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.training.optimizers.layerwise import GradualUnfreezing, freeze, layer_scales, stages_of
from bert_tf.training.optimizers.make_optimizer import make_optimizer

SIZES = {
    "vocab_size": 30,
    "hidden_size": 8,
    "num_layers": 2,
    "num_heads": 2,
    "intermediate_size": 16,
    "max_positions": 8,
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
}
PARTS = ("embeddings", "block_0", "block_1", "head")


def part_of(path):
    return next((part for part in PARTS if f"/{part}/" in path), "head")


def values_of(model):
    return {variable.path: variable.numpy() for variable in model.trainable_variables}


def apply_ones(optimizer, model, steps=1):
    """Gives every weight the same gradient; returns how far each part then went, one number a part."""
    before = values_of(model)
    for _ in range(steps):
        optimizer.apply([np.ones(v.shape, "float32") for v in model.trainable_variables], model.trainable_variables)
    distances = {part: [] for part in PARTS}
    for path, value in values_of(model).items():
        distances[part_of(path)].extend(np.ravel(before[path] - value))
    for part, values in distances.items():
        np.testing.assert_allclose(values, values[0], atol=1e-6, err_msg=part)
    return [float(np.mean(distances[part])) for part in PARTS]


def test_scales_fall_from_the_head_to_the_embeddings():
    scales = layer_scales(BertPretrainer(name="pretrainer", **SIZES), 0.5)
    assert scales["pretrainer/next_sentence/kernel"] == 1.0
    assert scales["encoder/pooler/bias"] == 1.0
    assert scales["encoder/block_1/attention/query/kernel"] == 0.5
    assert scales["encoder/block_0/output_norm/gamma"] == 0.25
    assert scales["encoder/embeddings/token/embeddings"] == 0.125
    assert scales["encoder/embeddings/norm/beta"] == 0.125


def test_layers_go_as_far_as_their_scales():
    model = BertPretrainer(**SIZES)
    optimizer = make_optimizer("adamw", 0.1, weight_decay=0.0, layer_decay=0.5, stages=stages_of(model))
    # Adam's first step is one learning rate long.
    np.testing.assert_allclose(apply_ones(optimizer, model), [0.0125, 0.025, 0.05, 0.1], rtol=1e-2)


def test_frozen_layers_leave_the_scales_of_others():
    model = BertPretrainer(**SIZES)
    everything = layer_scales(model, 0.5)
    freeze(model, 1)
    scales = layer_scales(model, 0.5)
    assert {part_of(path) for path in scales} == {"block_1", "head"}
    assert scales.items() <= everything.items()


@pytest.mark.parametrize(
    ("layers", "embeddings", "free"),
    [(0, True, PARTS[1:]), (2, True, PARTS[3:]), (1, False, ("embeddings", "block_1", "head")), (0, False, PARTS)],
)
def test_freezing(layers, embeddings, free):
    model = BertPretrainer(**SIZES)
    freeze(model, 2)
    freeze(model, layers, embeddings)
    assert {part_of(path) for path in values_of(model)} == set(free)


def test_more_layers_than_there_are_cannot_be_frozen():
    with pytest.raises(ConfigError, match="3 layers to freeze. This encoder has 2"):
        freeze(BertEncoder(**SIZES), 3)


def test_what_is_not_free_stays_and_does_not_count():
    model = BertPretrainer(**SIZES)
    optimizer = make_optimizer("adamw", 0.1, weight_decay=0.5, clip_norm=1.0, stages=stages_of(model))
    optimizer.build(model.trainable_variables)
    before = values_of(model)
    optimizer.unfreeze(1)
    optimizer.apply([np.ones(v.shape, "float32") for v in model.trainable_variables], model.trainable_variables)
    moved = {part_of(path) for path, value in values_of(model).items() if np.any(value != before[path])}
    assert moved == {"block_1", "head"}
    free = [v for v in model.trainable_variables if part_of(v.path) in moved]
    norm = np.sqrt(sum(np.prod(v.shape) for v in free))
    for variable, momentum in zip(model.trainable_variables, optimizer.inner.momentums, strict=True):
        expected = 0.1 / norm if part_of(variable.path) in moved else 0.0
        np.testing.assert_allclose(momentum.numpy(), np.full(variable.shape, expected), rtol=1e-5)


def test_fit_sets_one_more_layer_free_a_stage():
    class Recorder(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.moved = []

        def on_epoch_begin(self, epoch, logs=None):
            self.before = values_of(self.model)

        def on_epoch_end(self, epoch, logs=None):
            now = values_of(self.model)
            moved = {part_of(path) for path, value in now.items() if np.any(value != self.before[path])}
            self.moved.append([part for part in PARTS if part in moved])

    keras.utils.set_random_seed(0)
    model, recorder = BertPretrainer(**SIZES), Recorder()
    model.compile(make_optimizer("adamw", 0.01, layer_decay=0.9, stages=stages_of(model)))
    x = {name: np.ones((2, 4), "int32") for name in ("input_ids", "input_mask", "segment_ids")}
    x["masked_lm_positions"] = np.array([[1], [2]], "int32")
    y = {"masked_lm_logits": np.array([[3], [4]]), "next_sentence_logits": np.array([0, 1])}
    weights = {"masked_lm_logits": np.ones((2, 1), "float32"), "next_sentence_logits": np.ones(2, "float32")}
    model.fit(x, y, sample_weight=weights, epochs=5, verbose=0, callbacks=[GradualUnfreezing(), recorder])
    # The masked LM head's output matrix is the token embedding, which comes last all the same.
    assert recorder.moved == [list(PARTS[3:]), list(PARTS[2:]), list(PARTS[1:]), list(PARTS), list(PARTS)]
    np.testing.assert_allclose(model.optimizer.layer_rates.numpy(), [0.729, 0.81, 0.9, 1.0], rtol=1e-6)


def test_averages_are_the_mean_at_first_and_then_move_by_the_momentum():
    kernel = keras.Variable([2.0, -1.0], name="kernel")
    optimizer = make_optimizer("sgd", 0.1, weight_decay=0.5, clip_norm=None, ema_momentum=0.6)
    values = []
    for _ in range(5):
        optimizer.apply([2 * kernel.numpy()], [kernel])
        values.append(kernel.numpy())
    expected = (values[0] + values[1]) / 2  # 0.6 of the average after the third step are less than 2 / 3
    for value in values[2:]:
        expected = 0.6 * expected + 0.4 * value
    (average,) = optimizer.averages
    np.testing.assert_allclose(average.numpy(), expected, rtol=1e-6)
    assert optimizer.variables[-1] is average
    optimizer.exchange_averages()
    np.testing.assert_array_equal(average.numpy(), values[-1])
    np.testing.assert_allclose(kernel.numpy(), expected, rtol=1e-6)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    again.build([kernel])
    assert len(again.averages) == 1
