"""The gain of each optimization of bert_tf's pretraining step: the step is timed without one of them at a time."""

import keras
from keras import ops

from bench import step
from bench.figures import CLOCK, table
from bench.runner import Case, Race

TITLE = "Gain of each optimization"
NEEDS = ("tensorflow",)


def races(options):
    """One race, on the first size and shape."""
    (layers, hidden), (rows, length) = options.sizes[0], options.shapes[0]
    settings = {"layers": layers, "hidden": hidden, "rows": rows, "length": length, "steps": 3, "dtype": "bfloat16"}
    return [Race([Case("tricks", name, settings) for name in WITHOUT], options.rounds)]


def _fusion():
    from bert_tf.modeling.ops import xla

    xla.SMALLEST = float("inf")


def _gelu():
    from bert_tf.modeling.layers import activations
    from bert_tf.modeling.ops import fused_ops

    fused_ops.gelu = activations.gelu


def _attention():
    from bert_tf.modeling.layers import transformer_block
    from bert_tf.modeling.ops.fused_ops import dropout

    def attend(query, key, value, mask, *mask_args):
        return ops.matmul(dropout(transformer_block.attention_probs(query, key, mask), *mask_args), value)

    transformer_block.attend = attend


def _norm():
    from bert_tf.modeling.layers import residual_norm
    from bert_tf.modeling.ops.fused_ops import dropout, upcast

    def add_and_norm(x, residual, gamma, beta, epsilon, seed, *mask_args):
        total = upcast(residual) + upcast(x if seed is None else dropout(x, seed, *mask_args))
        mean, variance = ops.moments(total, -1, keepdims=True)
        return ops.cast((total - mean) * ops.rsqrt(variance + epsilon) * gamma + beta, x.dtype)

    residual_norm.add_and_norm = add_and_norm


def _random_bytes():
    from bert_tf.modeling.ops import fused_ops

    def random_bytes(x, seed):
        return ops.cast(keras.random.randint(ops.shape(x), 0, 256, seed=Seed(ops.cast(seed, "int32"))), "uint8")

    fused_ops.random_bytes = random_bytes


class Seed(keras.random.SeedGenerator):
    """A seed generator that always returns one given seed, for Keras's random functions."""

    def __init__(self, seed):  # without the variable of its base
        self.seed = seed

    def next(self, ordered=True):
        return self.seed


def _dense():
    from bert_tf.modeling.layers import dense

    dense.Dense = keras.layers.Dense


def _last_block():
    from bert_tf.modeling.families.bert import BertEncoder
    from bert_tf.modeling.layers.pooling import gather_positions

    call = BertEncoder.call

    def whole(self, inputs, training=None, all_outputs=False, positions=None):
        outputs = call(self, inputs, training, all_outputs)
        return outputs | {"sequence_output": gather_positions(outputs["sequence_output"], positions)}

    BertEncoder.call = whole


def _losses():
    from bert_tf.modeling import pretrainer

    pretrainer.SparseCrossEntropy = lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    pretrainer.accuracy = keras.metrics.sparse_categorical_accuracy


def _optimizer():
    from bert_tf.training.optimizers import make_optimizer

    def adamw(name, learning_rate):
        return keras.optimizers.AdamW(learning_rate, weight_decay=0.01, global_clipnorm=1.0)

    make_optimizer.make_optimizer = adamw


WITHOUT = {
    "bert_tf": lambda: None,
    "loops compiled into one pass": _fusion,
    "gelu: its gradient written out": _gelu,
    "attention: its gradient written out": _attention,
    "dropout, residual and norm in one gradient": _norm,
    "random bytes by hashing": _random_bytes,
    "the last block at masked positions and [CLS] alone": _last_block,
    "biases added within the products": _dense,
    "cross-entropy and accuracy in fewer passes": _losses,
    "the optimizer's update in one pass": _optimizer,
}


def _train(name, settings, meter):
    WITHOUT[name]()
    return step.train("bert_tf", settings, meter)


CONTENDERS = {name: lambda settings, paths, meter, name=name: _train(name, settings, meter) for name in WITHOUT}


def describe(store):
    """The table of the extra time and memory without each optimization."""
    found = {measured.contender: measured for measured in store.of("tricks")}
    whole = found.pop("bert_tf")
    rows = [
        [
            name,
            f"{measured.seconds(CLOCK) / whole.seconds(CLOCK) - 1:+.1%}",
            f"{measured.spread(CLOCK):.0%}",
            f"{measured.memory()[0] - whole.memory()[0]:+,.0f} MiB of {whole.memory()[0]:,.0f}",
        ]
        for name, measured in sorted(found.items(), key=lambda item: -item[1].seconds(CLOCK))
    ]
    return table(["without", "extra time per step", "spread", "extra memory"], rows)
