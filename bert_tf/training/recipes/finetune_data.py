"""The examples of a fine-tuning run: read, split, and checked against the model."""

import dataclasses

import keras
import numpy as np

from bert_tf.core.errors import InputError
from bert_tf.data.readers.examples import Examples, read_examples
from bert_tf.tasks import TASKS
from bert_tf.tasks.base.changed_texts import changed_texts, noise_of
from bert_tf.tasks.base.targets import fit_targets
from bert_tf.training.recipes.finetune_config import DataConfig, FinetuneConfig


def read_rows(config: FinetuneConfig) -> tuple[Examples, Examples]:
    """Reads the training and held-out examples of a config; they are not yet checked against the model.

    Raises:
        InputError: a file cannot be read, or has too few rows to hold some out.
    """
    data, task = config.data, TASKS[config.task]
    train = read_examples(data.path(data.train), data, task)
    if data.heldout:
        return train, read_examples(data.path(data.heldout), data, task)
    # Independent of the seed of the run, so that scores of several seeds can be compared.
    order = np.random.default_rng(0).permutation(len(train))
    count = round(data.heldout_share * len(train))
    if not 0 < count < len(train):
        raise InputError(
            f"{train.path} has {len(train)} rows, too few to hold out {100 * data.heldout_share:g} % of them. Set "
            "data.heldout to a file, or another data.heldout_share."
        )
    return train.take(sorted(order[count:])), train.take(sorted(order[:count]))


def with_noisy_copies(examples: Examples, model: keras.Model, data: DataConfig, seed: int) -> Examples:
    """The examples, then `data.noise_copies` copies of each with noise and the same target."""
    change, count = noise_of(data.noise or {}, model), 1 + data.noise_copies
    texts = [list(column) for column in examples.texts]
    for copy in range(data.noise_copies):
        for column, changed in zip(texts, changed_texts(examples.texts, model, change, seed + copy), strict=True):
            column += changed
    targets = examples.targets and examples.targets * count
    return dataclasses.replace(examples, texts=tuple(texts), targets=targets, places=examples.places * count)


def check_rows(train: Examples, heldout: Examples, model: keras.Model, separator: str) -> list[Examples]:
    """Converts the targets of both `Examples` to those of the model's task, and checks each row.

    Raises:
        InputError: a row is bad, unless the config skips bad rows.
    """
    parts: list[Examples] = []
    for examples in (train, heldout):
        examples = fit_targets(examples, model, separator).checked(model)
        # Two splits of one file share their list of bad rows, which is printed once.
        if examples.bad.count and examples.bad not in [part.bad for part in parts]:
            examples.bad.tell()
        parts.append(examples)
    return parts
