"""Two replicas with half a batch each learn what one learns with the whole."""

import os
import subprocess
import sys

import pytest

# The number of devices is settled when TensorFlow starts, so all parts run in one process of their own.
DEVICES = """
import keras
import numpy as np
import tensorflow as tf
from keras import ops

from bert_tf.modeling import replaced_token_pretrainer
from bert_tf.tasks import TextClassifier
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.training.optimizers.make_optimizer import make_optimizer
from tests.tasks.samples import LABELS, SIZES, TEXTS, VOCABULARY

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
ONE, TWO = (tf.distribute.MirroredStrategy(devices) for devices in (["/cpu:0"], ["/cpu:0", "/cpu:1"]))
"""
OPTIMIZERS = """
random = np.random.default_rng(0)
TABLE, BIAS = random.normal(size=(6, 3)).astype("float32"), random.normal(size=3).astype("float32")
# Gradients of each step and half of the batch: of five rows of the table, some of them twice, and of the bias.
ROWS, IDS = random.normal(size=(3, 2, 5, 3)).astype("float32"), random.integers(0, 6, (3, 2, 5))
BIASES = random.normal(size=(3, 2, 3)).astype("float32")


def train(strategy, name):
    with strategy.scope():
        variables = [keras.Variable(TABLE, name="table"), keras.Variable(BIAS, name="bias")]
        optimizer = make_optimizer(name, 0.1, weight_decay=0.1)
        optimizer.build(variables)

    @tf.function
    def step(rows, ids, bias):
        optimizer.apply([tf.IndexedSlices(rows, ids, tf.constant(TABLE.shape)), bias], variables)

    share = 2 // strategy.num_replicas_in_sync
    for rows, ids, biases in zip(ROWS, IDS, BIASES, strict=True):
        def halves(context):
            mine = slice(share * context.replica_id_in_sync_group, share * (context.replica_id_in_sync_group + 1))
            return np.concatenate(rows[mine]), np.concatenate(ids[mine]), biases[mine].sum(0)

        strategy.run(step, strategy.experimental_distribute_values_from_function(halves))
    return [strategy.experimental_local_results(variable.value) for variable in variables + optimizer.variables]


for name in ("adamw", "lamb", "sgd", "adafactor"):
    for (whole,), halves in zip(train(ONE, name), train(TWO, name), strict=True):
        assert len(halves) == 2
        for half in halves:
            np.testing.assert_allclose(half.numpy(), whole.numpy(), rtol=1e-5)
"""
UNEVEN = """
found = []
for strategy in (ONE, TWO):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = TextClassifier(Tokenizer(VOCABULARY), labels=["neg", "pos"], **SIZES)
        model.compile(keras.optimizers.SGD(0.1))
    # Batches of 3, and of 4 and 1: the second replica gets fewer rows, or none.
    losses = model.fit(TEXTS[:3], LABELS[:3], batch_size=4, verbose=0, shuffle=False).history["loss"]
    found.append(losses + model.evaluate(TEXTS[:5], LABELS[:5], batch_size=4, verbose=0))
np.testing.assert_allclose(found[1], found[0], rtol=1e-4)
"""
REPLACED = """
# Each replica draws its own samples: here the likeliest.
replaced_token_pretrainer.sample_ids = lambda logits, seed: ops.cast(ops.argmax(logits, -1), "int32")
random = np.random.default_rng(0)
original = random.integers(5, 30, (12, 8)).astype("int32")
lengths = random.integers(4, 9, 12)
positions = np.array([random.choice(range(1, 4), 2, replace=False) for _ in range(12)], "int32")
masked = original.copy()
np.put_along_axis(masked, positions, 4, 1)
real = (np.arange(8) < lengths[:, None]).astype("int32")
x = {"input_ids": masked, "input_mask": real, "masked_lm_positions": positions}
y = {"masked_lm_logits": np.take_along_axis(original, positions, 1), "replaced_token_logits": original}
weights = {"masked_lm_logits": np.ones((12, 2), "float32"), "replaced_token_logits": real.astype("float32")}
data = tf.data.Dataset.from_tensor_slices((x, y, weights)).batch(4, drop_remainder=True)
found = []
default = tf.distribute.get_strategy()
for strategy, parts in ((default, 1), (default, 2), (TWO, 1), (TWO, 2)):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = replaced_token_pretrainer.ReplacedTokenPretrainer(
            vocab_size=30, hidden_size=8, embedding_size=4, num_layers=1, num_heads=2, intermediate_size=8,
            max_positions=8, generator_size=0.5, hidden_dropout=0.0, attention_dropout=0.0, initializer_range=0.2,
        )
        model.compile(make_optimizer("sgd", 0.01), accumulation_steps=parts)
    history = model.fit(data, epochs=2, verbose=0, shuffle=False).history
    found.append((history["loss"], [np.asarray(v) for v in model.trainable_variables]))
for losses, variables in found[1:]:
    np.testing.assert_allclose(losses, found[0][0], rtol=1e-5)
    for one, other in zip(variables, found[0][1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
"""


PARTS = {"optimizers": OPTIMIZERS, "uneven": UNEVEN, "replaced": REPLACED}


@pytest.fixture(scope="module")
def passed():
    """The names of the parts that ran to their end."""
    program = DEVICES + "".join(f"{code}\nprint({name!r}, flush=True)\n" for name, code in PARTS.items())
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
    return done.stdout.split()


def test_optimizers_on_two_replicas_are_those_on_one(passed):
    assert "optimizers" in passed


def test_replicas_may_get_different_numbers_of_rows(passed):
    assert "uneven" in passed


def test_replaced_tokens_on_replicas_and_in_parts(passed):
    assert "replaced" in passed
