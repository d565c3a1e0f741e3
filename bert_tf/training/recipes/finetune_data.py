"""The rows of a fine-tuning run: read, parted, and checked against the model."""

import numpy as np

from bert_tf.core.errors import InputError
from bert_tf.data.readers.examples import read_examples
from bert_tf.tasks import TASKS
from bert_tf.tasks.base.targets import fit_targets


def read_rows(config):
    """The `Examples` to train on and those held out, as a `FinetuneConfig` names them, not yet checked."""
    data, task = config.data, TASKS[config.task]
    train = read_examples(data.path(data.train), data, task)
    if data.heldout:
        return train, read_examples(data.path(data.heldout), data, task)
    # Always the same rows, whatever the seed of the run: its score would tell nothing otherwise.
    order = np.random.default_rng(0).permutation(len(train))
    count = round(data.heldout_share * len(train))
    if not 0 < count < len(train):
        raise InputError(f"{train.path} has {len(train)} rows: too few to hold {data.heldout_share:.0%} of them out.")
    return train.take(sorted(order[count:])), train.take(sorted(order[:count]))


def check_rows(train, heldout, model, separator):
    """Both `Examples` with targets as the model takes them, without bad rows if those may be skipped."""
    parts = []
    for examples in (train, heldout):
        examples = fit_targets(examples, model, separator).checked(model)
        if examples.bad.count and examples.bad not in [part.bad for part in parts]:
            examples.bad.tell()
        parts.append(examples)
    return parts
