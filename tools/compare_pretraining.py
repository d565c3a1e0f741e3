"""Pretrains a model with bert_tf and with keras-hub's layers, from the same weights, batches and recipe.

    python tools/compare_pretraining.py --config configs/pretrain_small_wikitext2.toml --output runs/compare [key=value]

First it runs 50 steps without dropout in float32, whose losses should agree to 1e-3; then the whole run of each by the
config. It prints the losses on held-out records, the time of each run, and the entropy of the masked tokens, which is
the loss of a model that knows only their frequencies. keras-hub is trained with Keras's AdamW.
"""

import dataclasses
import pathlib
import time

import keras
import numpy as np
from absl import app, flags

from bert_tf.core import features
from bert_tf.core.config import load_toml, override
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.training.compile_model import compile_model
from bert_tf.training.config import PretrainConfig
from bert_tf.training.optimizers.schedules import make_schedule
from bert_tf.training.recipes.pretraining_data import RecordsSource, tokenizer_of
from bert_tf.weights import write_model

CONFIG = flags.DEFINE_string("config", None, "a pretraining config that sets steps and precision", required=True)
OUTPUT = flags.DEFINE_string("output", None, "a new folder", required=True)
SHORT = 50
INPUTS = {
    "token_ids": features.INPUT_IDS,
    "padding_mask": features.INPUT_MASK,
    "segment_ids": features.SEGMENT_IDS,
    "mask_positions": features.MASKED_LM_POSITIONS,
}


class Losses(keras.callbacks.Callback):
    """Records the loss of every step, computed from Keras's running means."""

    def __init__(self):
        super().__init__()
        self.values, self.total = [], 0.0

    def on_train_batch_end(self, batch, logs=None):
        total = float(logs["loss"]) * (len(self.values) + 1)
        self.values.append(total - self.total)
        self.total = total
        if len(self.values) % 100 == 0:
            print(f"  {self.model.name}: step {len(self.values)}, loss {np.mean(self.values[-100:]):.3f}", flush=True)


def main(argv):
    config = override(load_toml(PretrainConfig, CONFIG.value), argv[1:])
    source = RecordsSource(config.data, config.training)
    tokenizer = tokenizer_of([source], config.model)
    folder = pathlib.Path(OUTPUT.value)
    print(f"entropy of masked tokens: {entropy(source):.3f} nats")

    exact = dataclasses.replace(config.training, precision="float32")
    models = both(config.model, 0.0, tokenizer, exact, folder / "dry")
    ours, theirs = (fit(model, source, inputs, SHORT)[0] for model, inputs in models)
    print(f"largest difference of the first {SHORT} losses: {np.abs(np.subtract(ours, theirs)).max():.1e}")

    for model, inputs in both(config.model, config.model.hidden_dropout, tokenizer, config.training, folder / "wet"):
        losses, minutes = fit(model, source, inputs, config.training.steps)
        heldout = source.validation.one_pass(source.batch_size).take(config.training.evaluate_batches).map(inputs)
        scores = model.evaluate(heldout, verbose=0, return_dict=True)
        print(f"{model.name}: {minutes:.1f} min, held out", {key: round(value, 4) for key, value in scores.items()})
        np.savetxt(folder / f"{model.name}.txt", losses)


def both(settings, dropout, tokenizer, training, folder):
    """(model, function that renames the inputs of a batch) of bert_tf and keras-hub, with equal weights, compiled."""
    keras.utils.set_random_seed(training.seed)
    sizes = {name: getattr(settings, name) for name in ("hidden_size", "num_layers", "num_heads", "max_positions")}
    ours = BertPretrainer(
        name="bert_tf",
        dtype=training.precision,
        vocab_size=tokenizer.vocab_size,
        intermediate_size=settings.intermediate_size or 4 * settings.hidden_size,
        # As keras-hub computes them.
        activation="gelu_tanh",
        masked_lm_activation="gelu",
        masked_lm_epsilon=1e-5,
        hidden_dropout=dropout,
        attention_dropout=dropout,
        **sizes,
    )
    compile_model(ours, training)
    write_model(ours.to_checkpoint(tokenizer), folder, "keras_hub")
    theirs = keras_hub_model(ours, folder, training)
    return (ours, lambda *batch: batch), (theirs, as_keras_hub)


def keras_hub_model(ours, folder, training):
    """A model of keras-hub's backbone and masked LM head from `folder`, with a dense next sentence head."""
    import keras_hub

    hub = keras_hub.models.BertMaskedLM.from_preset(str(folder), preprocessor=None, dtype=training.precision)
    hub.masked_lm_head.activation = keras.activations.linear  # logits, whose loss is finite
    pooled = hub.backbone({name: hub.input[name] for name in list(INPUTS)[:3]})["pooled_output"]
    next_sentence = keras.layers.Dense(2, dtype="float32", name=features.NEXT_SENTENCE_LOGITS)
    outputs = {features.MASKED_LM_LOGITS: hub(hub.input), features.NEXT_SENTENCE_LOGITS: next_sentence(pooled)}
    model = keras.Model(hub.input, outputs, name="keras_hub")
    for variable, name in zip(next_sentence.weights, ("kernel", "bias"), strict=True):
        variable.assign(ours.named_weights[f"next_sentence/{name}"])
    optimizer = keras.optimizers.AdamW(
        make_schedule(
            training.schedule, training.learning_rate, training.steps, round(training.warmup * training.steps)
        ),
        weight_decay=training.weight_decay,
        epsilon=1e-6,
        global_clipnorm=training.clip_norm,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    loss = keras.losses.SparseCategoricalCrossentropy
    model.compile(
        optimizer,
        {name: loss(from_logits=True, reduction="mean_with_sample_weight") for name in outputs},
        weighted_metrics={name: ["accuracy"] for name in outputs},
        jit_compile=False,
    )
    return model


def as_keras_hub(x, y, weights):
    """A batch with keras-hub's names of the inputs."""
    return {theirs: x[ours] for theirs, ours in INPUTS.items()}, y, weights


def fit(model, source, inputs, steps):
    """Trains from the first batch on; returns the losses of all steps, and the minutes."""
    losses, start = Losses(), time.time()
    data = source.batches(source.batch_size).map(inputs)
    model.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False, callbacks=[losses])
    return losses.values, (time.time() - start) / 60


def entropy(source):
    """Entropy of the masked tokens of the held-out records, in nats."""
    hidden = [
        y[features.MASKED_LM_LOGITS][weights[features.MASKED_LM_LOGITS] > 0].numpy()
        for _, y, weights in source.validation.one_pass(source.batch_size)
    ]
    counts = np.bincount(np.concatenate(hidden))
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


if __name__ == "__main__":
    app.run(main)
