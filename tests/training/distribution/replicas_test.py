"""Two replicas with half a batch each learn what one learns with the whole."""

import os
import subprocess
import sys

SCRIPT = """
import keras
import numpy as np
import tensorflow as tf

from bert_tf.training.optimizers.make_optimizer import make_optimizer

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
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
    one = train(tf.distribute.MirroredStrategy(["/cpu:0"]), name)
    two = train(tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"]), name)
    for (whole,), halves in zip(one, two, strict=True):
        assert len(halves) == 2
        for half in halves:
            np.testing.assert_allclose(half.numpy(), whole.numpy(), rtol=1e-5)
"""


UNEVEN = """
import keras
import numpy as np
import tensorflow as tf

from bert_tf.tasks import TextClassifier
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import LABELS, SIZES, TEXTS, VOCABULARY

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
found = []
for devices in (["/cpu:0"], ["/cpu:0", "/cpu:1"]):
    keras.utils.set_random_seed(0)
    with tf.distribute.MirroredStrategy(devices).scope():
        model = TextClassifier(Tokenizer(VOCABULARY), labels=["neg", "pos"], **SIZES)
        model.compile(keras.optimizers.SGD(0.1))
    # Batches of 3, and of 4 and 1: the second replica gets fewer rows, or none.
    losses = model.fit(TEXTS[:3], LABELS[:3], batch_size=4, verbose=0, shuffle=False).history["loss"]
    found.append(losses + model.evaluate(TEXTS[:5], LABELS[:5], batch_size=4, verbose=0))
np.testing.assert_allclose(found[1], found[0], rtol=1e-4)
"""


def test_replicas_may_get_different_numbers_of_rows():
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", UNEVEN], check=True, env=environment)


def test_two_replicas_are_one():
    # The number of devices is settled when TensorFlow starts.
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"})
