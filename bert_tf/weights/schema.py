"""Names and shapes of a model's weights, against which a checkpoint of any format is checked."""

import concurrent.futures
import dataclasses
import functools
import random
from typing import Any

import ml_dtypes
import numpy as np

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
    hidden, embedding = config.hidden_size, config.embedding_size
    shapes: dict[str, Shape] = {
        "masked_lm/norm/gamma": (embedding,),
        "masked_lm/norm/beta": (embedding,),
        "masked_lm/bias": (config.vocab_size,),
    }
    units = {
        "masked_lm/transform": embedding,
        "next_sentence": 2,
        "next_sentence_pooler": hidden,  # Model Garden's, where it differs from the encoder's
        "replaced_token/transform": hidden,
        "replaced_token/output": 1,
        "classifier": None,
        "answer_span": 2,
    }
    for name, size in units.items():
        shapes |= {f"{name}/kernel": (hidden, size), f"{name}/bias": (size,)}
    return shapes


def part_of(name: str) -> str:
    """The part of a model that is whole or absent: "encoder", "encoder/pooler", or a head."""
    return POOLER if name.startswith(f"{POOLER}/") else name.split("/")[0]


def decoder_shapes(family: str, config: Any) -> dict[str, Shape]:
    """{name: shape} of the weights of a decoder: the encoder's, but for the pooler, and the cross-attention."""
    shapes = {}
    for name, shape in schema(family, config).items():
        if part_of(name) != POOLER:
            shapes[name.replace("encoder/", "decoder/", 1)] = shape
    for name, shape in schema(family, config.uniform()).items():  # pruning leaves the cross-attention as it is
        if name.startswith("encoder/block_0/attention"):
            for i in range(config.num_layers):
                shapes[name.replace("encoder/block_0/", f"decoder/cross_{i}/")] = shape
    return shapes


def all_shapes(family: str, config: Any, decoder: Any = None) -> dict[str, Shape]:
    """{name: shape} of the weights of an encoder, a decoder, and the heads that are exchanged with other projects.

    Without a config of its own a decoder has the sizes of the encoder.

    A setting that the model cannot have, an unknown activation for one, raises `InputError`.
    """
    try:
        decoder = decoder or config
        return schema(family, config) | decoder_shapes(family, decoder) | head_shapes(decoder)
    except ConfigError as error:
        raise InputError(str(error)) from None


def check_shape(name: str, shape: Shape, wanted: Shape) -> None:
    """Raises `InputError` for a weight of another shape than the settings say."""
    if not _fits(shape, wanted):
        raise InputError(f"{name} has shape {shape}; the settings say {wanted}.")


def check(checkpoint: Checkpoint) -> None:
    """Raises `InputError` where weights or the vocabulary do not fit the settings, or weights are not finite.

    Weights of unknown heads may have any shape.
    """
    shapes = all_shapes(checkpoint.family, checkpoint.encoder, checkpoint.decoder)
    for name, array in checkpoint.weights.items():
        check_shape(name, array.shape, shapes.get(name, array.shape))
        if not np.isfinite(array).all():
            raise InputError(
                f"{name} has {np.sum(~np.isfinite(array))} values of {array.size} that are NaN, infinite or too large "
                "for float32: the model would answer nothing but NaN. Take another checkpoint."
            )
    rows = checkpoint.encoder.vocab_size
    if checkpoint.vocabulary is not None and rows not in _padded_sizes(len(checkpoint.vocabulary)):
        raise InputError(
            f"the vocabulary has {len(checkpoint.vocabulary)} tokens and the embedding {rows} rows. They must agree, "
            "but for rows that pad to a multiple of 8, 64 or so: take the vocabulary that came with the weights."
        )


def check_range(name: str, array: np.ndarray, dtype: str) -> None:
    """Raises `InputError` for a weight with numbers that are infinite in the floating `dtype`."""
    largest = max(array.max(initial=0), -array.min(initial=0))
    if largest > float(ml_dtypes.finfo(dtype).max):
        raise InputError(
            f"{name} has numbers up to {largest:.3g}, which {dtype} cannot hold. Open the model in bfloat16 or float32."
        )


def _padded_sizes(tokens: int) -> set[int]:
    """The rows that an embedding of `tokens` tokens may have: trainers pad them to a multiple of a power of two."""
    return {-(-tokens // multiple) * multiple for multiple in (1, 8, 16, 32, 64, 128, 256, 512, 1024)}


def _fits(shape: Shape, wanted: Shape) -> bool:
    if len(shape) != len(wanted):
        return False
    return all(size in (None, found) for size, found in zip(wanted, shape, strict=True))
