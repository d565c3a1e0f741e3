"""Trains 20 steps for each STRATEGY:PARTS; leaves averaged weights, and losses, in FOLDER/STRATEGY:PARTS.npz."""

import sys

import keras
import numpy as np
import tensorflow as tf

from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.training.compile_model import compile_model
from bert_tf.training.config import PhaseConfig, TrainingConfig
from bert_tf.training.distribution import strategies
from bert_tf.training.distribution.batches import distribute, rows_per_replica
from bert_tf.training.recipes.pretraining_data import RecordsSource


def train(records, folder, run):
    """Runs one STRATEGY:PARTS."""
    name, parts = run.split(":")
    parts = int(parts)
    how = {"learning_rate": 1e-3, "precision": "float32", "ema_momentum": 0.5}
    training = TrainingConfig(steps=20, accumulation_steps=parts, **how)
    strategy = strategies.make_strategy(name)
    source = RecordsSource(PhaseConfig(records=records, heldout=records, batch_size=16), training)
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = BertPretrainer(
            vocab_size=source.records.report["vocabulary"]["size"],
            hidden_size=16,
            num_layers=2,
            num_heads=2,
            intermediate_size=32,
            max_positions=32,
            hidden_dropout=0.0,
            attention_dropout=0.0,
        )
        compile_model(model, training)
    data = distribute(strategy, source, rows_per_replica(strategy, 16, parts))
    losses = model.fit(data, steps_per_epoch=10, epochs=2, verbose=0, shuffle=False).history["loss"]
    model.optimizer.exchange_averages()
    scores = source.validation.evaluate(model)
    if strategies.worker()[0] == 0:
        arrays = {name.replace("/", "."): array for name, array in model.to_weights().items()}
        np.savez(f"{folder}/{run}.npz", losses=losses, heldout=scores["loss"], **arrays)


def main(records, folder, *runs):
    if not strategies.check_cluster():
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    for run in runs:
        train(records, folder, run)


if __name__ == "__main__":
    main(*sys.argv[1:])
