"""Names and shapes of a model's weights, against which a checkpoint of any format is checked."""

import concurrent.futures
import dataclasses
import functools
import random
from pathlib import Path
from typing import Any

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.registry import families
from bert_tf.weights.checkpoint import Checkpoint

Shape = tuple[int | None, ...]
# Parts without which a model is usable: a missing one starts fresh.
POOLER = "encoder/pooler"


def schema(family: str, config: Any) -> dict[str, tuple[int, ...]]:
    """{name: shape} of every weight of an encoder, derived from its Keras class; nothing is allocated.

    Args:
        family: name of the encoder family.
        config: the encoder's config. Any size is accepted; a caller that fears absurd ones checks them first.
    """
    return dict(_encoder_shapes(families()[family].encoder, config))


@functools.lru_cache(maxsize=32)
def _encoder_shapes(encoder_class: type, config: Any) -> dict[str, tuple[int, ...]]:
    def build():
        import keras

        with keras.StatelessScope(initialize_variables=False):
            encoder = encoder_class(**dataclasses.asdict(config))
            return {name: tuple(variable.shape) for name, variable in encoder.named_weights.items()}

    # Keras keeps its variables without values in a list for the next scope to initialize, and counts the layers of
    # each class to name them. Both are thread-local: a thread of its own leaves no trace, and needs no private name.
    # Default seeds of initializers are drawn from Python's global generator, which is put back for the same reason.
    state = random.getstate()
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            return thread.submit(build).result()
    finally:
        random.setstate(state)


def head_shapes(config: Any) -> dict[str, Shape]:
    """{name: shape} of the heads that are exchanged with other projects; None: any number of labels."""
    hidden = config.hidden_size
    shapes: dict[str, Shape] = {
        "masked_lm/norm/gamma": (hidden,),
        "masked_lm/norm/beta": (hidden,),
        "masked_lm/bias": (config.vocab_size,),
    }
    units = {
        "masked_lm/transform": hidden,
        "next_sentence": 2,
        "next_sentence_pooler": hidden,  # Model Garden's, where it differs from the encoder's
        "classifier": None,
        "answer_span": 2,
    }
    for name, size in units.items():
        shapes |= {f"{name}/kernel": (hidden, size), f"{name}/bias": (size,)}
    return shapes


def part_of(name: str) -> str:
    """The part of a model that is whole or absent: "encoder", "encoder/pooler", or a head."""
    return POOLER if name.startswith(f"{POOLER}/") else name.split("/")[0]


def check(checkpoint: Checkpoint, folder: Path | str) -> None:
    """Raises `InputError` where shapes or the vocabulary do not fit the settings; weights of unknown heads pass."""
    try:
        shapes = schema(checkpoint.family, checkpoint.encoder) | head_shapes(checkpoint.encoder)
    except ConfigError as error:  # an unknown activation, say
        raise InputError(f"{folder}: {error}") from None
    for name, array in checkpoint.weights.items():
        wanted = shapes.get(name, array.shape)
        if not _fits(array.shape, wanted):
            raise InputError(f"{folder}: {name} has shape {array.shape}; the settings say {wanted}.")
    rows = checkpoint.encoder.vocab_size
    if checkpoint.vocabulary is not None and len(checkpoint.vocabulary) != rows:
        raise InputError(
            f"{folder}: the vocabulary has {len(checkpoint.vocabulary)} tokens and the embedding {rows} rows. "
            "They must agree: bert_tf.weights.resize gives an embedding the rows of another vocabulary."
        )


def _fits(shape: Shape, wanted: Shape) -> bool:
    if len(shape) != len(wanted):
        return False
    return all(size in (None, found) for size, found in zip(wanted, shape, strict=True))
