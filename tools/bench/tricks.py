"""A pretraining step of bert_tf without one of its tricks at a time: what each is worth."""

import keras
from keras import ops

from bench import step
from bench.figures import CLOCK, table
from bench.runner import Case, Race

TITLE = "What each trick is worth"
NEEDS = ("tensorflow",)


def races(options):
    """All on the shape that most people try first."""
    (layers, hidden), (rows, length) = options.sizes[0], options.shapes[0]
    settings = {"layers": layers, "hidden": hidden, "rows": rows, "length": length, "steps": 3, "dtype": "bfloat16"}
    return [Race([Case("tricks", name, settings) for name in WITHOUT], options.rounds)]


def _gelu():
    from bert_tf.modeling import activations, gradients

    gradients.gelu = activations.gelu


def _attention():
    from bert_tf.modeling import block

    block.attend = lambda scores, value, keep: ops.matmul(ops.softmax(scores) * keep, value)


def _norm():
    from bert_tf.modeling import block
    from bert_tf.modeling.gradients import wide

    def add_and_norm(x, residual, keep, gamma, beta, scale, epsilon):
        total = wide(residual) + wide(x * keep) * scale
        mean, variance = ops.moments(total, -1, keepdims=True)
        return ops.cast((total - mean) * ops.rsqrt(variance + epsilon) * gamma + beta, x.dtype)

    block.add_and_norm = add_and_norm


def _dropout():
    from bert_tf.modeling.dropout import Dropout

    def keep(self, x):
        drawn = keras.random.uniform(ops.shape(x), dtype="float32", seed=self.seed_generator)
        return ops.cast(drawn >= self.rate, self.compute_dtype)

    Dropout.keep = keep


def _loss():
    from bert_tf.modeling import pretrainer

    pretrainer.SparseCrossEntropy = lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _optimizer():
    from bert_tf.training import optimizers

    optimizers.make_optimizer = lambda name, rate: keras.optimizers.AdamW(rate, weight_decay=0.01, global_clipnorm=1.0)


WITHOUT = {
    "bert_tf": lambda: None,
    "gelu: its gradient written out": _gelu,
    "attention: softmax, dropout and value in one gradient": _attention,
    "dropout, residual and norm in one gradient": _norm,
    "dropout from 8 bits an element": _dropout,
    "cross-entropy in fewer passes": _loss,
    "the optimizer's update in one pass": _optimizer,
}


def _train(name, settings, meter):
    WITHOUT[name]()
    return step.train("bert_tf", settings, meter)


CONTENDERS = {name: lambda settings, paths, meter, name=name: _train(name, settings, meter) for name in WITHOUT}


def describe(store):
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
    return table(["without", "a step takes more", "spread", "and holds more"], rows)
