"""The examples of a fine-tuning run: read, split, and checked against the model."""

import keras
import numpy as np

from bert_tf.core.errors import InputError
from bert_tf.data.readers.examples import Examples, read_examples
from bert_tf.tasks import TASKS
from bert_tf.tasks.base.targets import fit_targets
from bert_tf.training.recipes.finetune_config import FinetuneConfig


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
