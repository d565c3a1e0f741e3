"""Batches for pretraining from records, as a `tf.data.Dataset` that can start at any batch."""

import os
import pathlib
import typing
from collections.abc import Collection, Sequence

import numpy as np
import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.core.features import (
    CLS_POSITIONS,
    EXAMPLE_IDS,
    INPUT_IDS,
    INPUT_MASK,
    MASKED_LM_IDS,
    MASKED_LM_LOGITS,
    MASKED_LM_POSITIONS,
    MASKED_LM_WEIGHTS,
    NEXT_SENTENCE_LABELS,
    NEXT_SENTENCE_LOGITS,
    POSITION_IDS,
    REPLACED_TOKEN_LOGITS,
    SEGMENT_IDS,
)
from bert_tf.data.pipeline.batch_samplers import (
    BatchPlan,
    BatchSampler,
    BucketBatchSampler,
    PackedSampler,
    SequentialSampler,
)
from bert_tf.data.pipeline.record_reader import Records
from bert_tf.data.pipeline.sequence_packing import pack_features
from bert_tf.data.pretraining.make_records import write_records
from bert_tf.data.pretraining.records_config import RecordsConfig
from bert_tf.text.masking import Masker, MaskingConfig
from bert_tf.text.tokenizers.base import Tokenizer

# Legend: B batch, S sequence, P predictions, R packed row, E examples of a packed row.

_MODEL_INPUTS = (INPUT_IDS, INPUT_MASK, SEGMENT_IDS, POSITION_IDS, EXAMPLE_IDS, MASKED_LM_POSITIONS, CLS_POSITIONS)


def make_dataset(
    records: Records | str | pathlib.Path | Sequence[str],
    batch_size: int,
    *,
    seed: int = 0,
    shuffle: bool = True,
    repeat: int | None = None,
    start: int = 0,
    shard: tuple[int, int] = (0, 1),
    masking: MaskingConfig | None = None,
    tokenizer: Tokenizer | None = None,
    drop_remainder: bool = True,
    buckets: Sequence[int] | None = None,
    pack_length: int | None = None,
    outputs: Collection[str] | None = None,
) -> tf.data.Dataset:
    """Reads records in a seeded order.

    The batch at position k is a function of the records, the seed and k alone; `start=k` needs none before it.

    Args:
        records: a `Records`, or its argument: the folder that `write_records` filled, files or globs.
        batch_size: B, rows of a batch for this worker.
        seed: of the order, a new one in every epoch, and of the masks of records without masks.
        shuffle: False keeps the order of the files.
        repeat: how many epochs; None never ends.
        start: the position of the first batch, counted over epochs.
        shard: `(worker, workers)`: the workers' batches at one position hold different examples.
        masking: a `MaskingConfig` for records without masks; None: as the records' settings say.
        tokenizer: gives the vocabulary for masking; None: the one that the records were made with.
        drop_remainder: whether the last batch of an epoch is left out when it is not full.
        buckets: row widths, for example (32, 64, 128): the rows of a batch have similar lengths and are cut to the
            width of their bucket.
        pack_length: R: several examples are packed into each row of this length.
        outputs: the model's outputs that get targets; None: the masked LM and, where the records have pairs, these.

    Returns:
        A dataset of `(x, y, sample_weight)`, int32 except for weights. x: input_ids, input_mask, segment_ids [B, S],
        masked_lm_positions [B, P]. y: masked_lm_logits [B, P], for pairs next_sentence_logits [B, 1], and if `outputs`
        name them replaced_token_logits [B, S], the ids before masking. sample_weight: float32 masked_lm_logits
        [B, P], next_sentence_logits [B], replaced_token_logits [B, S]. Packed rows [B, R] also have
        position_ids, example_ids [B, R] and cls_positions [B, E] in x; labels and weights of pairs are then [B, E],
        and P and E are the most that a row can hold.

    Raises:
        ConfigError: settings that exclude each other, or that the records do not allow.
        InputError: unreadable records, or fewer rows than a batch.
    """
    records = records if isinstance(records, Records) else Records(records)
    masker = _make_masker(records, masking, tokenizer)
    plan = BatchPlan(batch_size, seed, shuffle, *shard, drop_remainder)
    sampler = _make_sampler(records, plan, masker, buckets, pack_length)
    num_rows = batch_size if drop_remainder else None
    dtypes = [tf.int32 if dtype == tf.int64 else dtype for _, dtype in records.shapes.values()]

    def read(number):
        examples, counts, width = sampler.batch(int(number))
        return *records.load(examples).values(), counts, np.int32(width)

    def load(number):
        *arrays, counts, width = tf.numpy_function(read, [number], [*dtypes, tf.int32, tf.int32])
        features = {}
        for array, (name, (columns, _)) in zip(arrays, records.shapes.items(), strict=True):
            features[name] = tf.ensure_shape(array, [None if pack_length else num_rows, columns])
        if masker:
            batch_seed = tf.stack([seed % 2**31, tf.cast(number * shard[1] + shard[0], tf.int32)])
            features |= masker(features[INPUT_IDS], features[INPUT_MASK], batch_seed)
        if pack_length:
            counts = tf.ensure_shape(counts, [num_rows])
            features = pack_features(features, counts, pack_length, sampler.max_predictions, sampler.max_examples)
        elif buckets:
            features |= {name: features[name][:, :width] for name in (INPUT_IDS, INPUT_MASK, SEGMENT_IDS)}
        return to_training_example(features, outputs)

    return sampler.dataset(load, start, repeat)


def make_dataset_from_text(
    inputs: str | Sequence[str],
    tokenizer: Tokenizer | str | os.PathLike,
    cache: str | pathlib.Path,
    batch_size: int,
    config: RecordsConfig | None = None,
    **settings: typing.Any,
) -> tf.data.Dataset:
    """`make_dataset` from text: records are written once, and masked again in every epoch.

    Args:
        inputs: files, folders or globs of text.
        tokenizer: a `Tokenizer`, or the path of a vocabulary.
        cache: the folder of the records; those of an earlier call with the same arguments are used.
        batch_size, settings: as for `make_dataset`.
        config: a `RecordsConfig`.
    """
    write_records(inputs, tokenizer, cache, config or RecordsConfig(static_masking=False))
    return make_dataset(cache, batch_size, **settings)


def to_training_example(
    features: dict[str, tf.Tensor], outputs: Collection[str] | None = None
) -> tuple[dict, dict, dict]:
    """A batch of features as `(x, y, sample_weight)`, named after the model's inputs and outputs.

    `outputs` are those that get targets; None: all that the features have targets of.
    """
    x = {name: features[name] for name in _MODEL_INPUTS if name in features}
    y = {MASKED_LM_LOGITS: features[MASKED_LM_IDS]}
    weight = {MASKED_LM_LOGITS: features[MASKED_LM_WEIGHTS]}
    if NEXT_SENTENCE_LABELS in features and (outputs is None or NEXT_SENTENCE_LOGITS in outputs):
        y[NEXT_SENTENCE_LOGITS] = labels = features[NEXT_SENTENCE_LABELS]
        weight[NEXT_SENTENCE_LOGITS] = tf.ones_like(labels[:, 0], tf.float32)
        if EXAMPLE_IDS in features:  # packed: weight 1 for the examples that a row really has
            examples = tf.reduce_max(features[EXAMPLE_IDS], 1, keepdims=True)
            weight[NEXT_SENTENCE_LOGITS] = tf.cast(tf.range(tf.shape(labels)[1]) < examples, tf.float32)
    if outputs and REPLACED_TOKEN_LOGITS in outputs:
        y[REPLACED_TOKEN_LOGITS] = _before_masking(features)
        weight[REPLACED_TOKEN_LOGITS] = tf.cast(features[INPUT_MASK], tf.float32)
    return x, y, weight


def _before_masking(features):
    """The ids before masking, int32 [B, S]."""
    predicted = tf.where(features[MASKED_LM_WEIGHTS] > 0)  # [predictions, 2]
    positions = tf.gather_nd(features[MASKED_LM_POSITIONS], predicted)
    places = tf.stack([tf.cast(predicted[:, 0], tf.int32), positions], 1)
    return tf.tensor_scatter_nd_update(features[INPUT_IDS], places, tf.gather_nd(features[MASKED_LM_IDS], predicted))


def _make_sampler(records, plan, masker, buckets, pack_length) -> BatchSampler:
    """The sampler for these arguments of `make_dataset`."""
    width = records.shapes[INPUT_IDS][0]
    if buckets and pack_length:
        raise ConfigError("Received both buckets and pack_length. Packed rows have one length; set one of the two.")
    if pack_length:
        if pack_length < width:
            raise ConfigError(f"Received: pack_length={pack_length}. The records' rows are longer: {width}.")
        lengths, predictions = records.measure()
        predictions = masker.config.num_to_predict(lengths) if masker else predictions
        return PackedSampler(plan, lengths, predictions, pack_length)
    if buckets:
        widths = sorted(bucket for bucket in buckets if bucket < width)
        return BucketBatchSampler(plan, records.measure()[0], [*widths, width])
    return SequentialSampler(plan, len(records), width)


def _make_masker(records, masking, tokenizer) -> Masker | None:
    """The `Masker` for records without masks, None for those that have them."""
    if MASKED_LM_POSITIONS in records.names:
        if masking:
            raise ConfigError(
                "The records hold masks already. Write them with static_masking=false to mask in training."
            )
        return None
    names = ("masking", "masked_lm_prob", "max_predictions", "max_ngram")
    masking = masking or MaskingConfig(**{name: records.settings[name] for name in names if name in records.settings})
    return Masker(masking, tokenizer or records.tokenizer())
