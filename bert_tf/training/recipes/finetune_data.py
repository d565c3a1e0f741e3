"""The examples of a fine-tuning run: read, split, and checked against the model."""

import keras
import numpy as np

from bert_tf.core.errors import InputError
from bert_tf.data.readers.examples import Examples, read_examples
from bert_tf.tasks import TASKS
from bert_tf.tasks.base.targets import fit_targets
from bert_tf.training.recipes.finetune_config import FinetuneConfig


def read_rows(config: FinetuneConfig) -> tuple[Examples, Examples]:
    """The examples to train on and those held out, as the config names them, not yet checked."""
    data, task = config.data, TASKS[config.task]
    train = read_examples(data.path(data.train), data, task)
    if data.heldout:
        return train, read_examples(data.path(data.heldout), data, task)
    # The same examples whatever the seed of the run, so that scores of several seeds can be compared.
    order = np.random.default_rng(0).permutation(len(train))
    count = round(data.heldout_share * len(train))
    if not 0 < count < len(train):
        raise InputError(f"{train.path} has {len(train)} rows: too few to hold {data.heldout_share:.0%} of them out.")
    return train.take(sorted(order[count:])), train.take(sorted(order[:count]))


def check_rows(train: Examples, heldout: Examples, model: keras.Model, separator: str) -> list[Examples]:
    """Both `Examples` with targets as the model takes them, without bad rows if the config skips those."""
    parts: list[Examples] = []
    for examples in (train, heldout):
        examples = fit_targets(examples, model, separator).checked(model)
        if examples.bad.count and examples.bad not in [part.bad for part in parts]:
            examples.bad.tell()
        parts.append(examples)
    return parts
