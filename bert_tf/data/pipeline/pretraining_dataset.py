"""Batches for training from records, as a `tf.data.Dataset` that can begin at any batch."""

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
    SEGMENT_IDS,
)
from bert_tf.data.pipeline.batch_samplers import BucketedRows, PackedRows, Plan, SingleRows
from bert_tf.data.pipeline.indexed_dataset import numbered_batches
from bert_tf.data.pipeline.record_reader import Records
from bert_tf.data.pipeline.sequence_packing import pack_features
from bert_tf.data.pretraining.make_records import RecordsConfig, write_records
from bert_tf.text.masking import Masker, MaskingConfig

# Legend: B batch, S sequence, P predictions.

_MODEL_INPUTS = (INPUT_IDS, INPUT_MASK, SEGMENT_IDS, POSITION_IDS, EXAMPLE_IDS, MASKED_LM_POSITIONS, CLS_POSITIONS)


def make_dataset(
    records,
    batch_size,
    *,
    seed=0,
    shuffle=True,
    repeat=None,
    start=0,
    shard=(0, 1),
    masking=None,
    tokenizer=None,
    drop_remainder=True,
    buckets=None,
    pack_length=None,
):
    """Reads records in a seeded order.

    The batch at position k is a function of the records, the seed and k alone. `start=k` goes there at once.

    Args:
        records: a `Records`, or what it takes: the folder that `write_records` filled, files or globs.
        batch_size: rows of a batch, for this worker.
        seed: of the order, new in every epoch, and of the masks, if masking was left to training.
        shuffle: False keeps the order of the files.
        repeat: how many epochs; None never ends.
        start: the position of the first batch, counted over epochs.
        shard: `(worker, workers)`: the workers' batches at one position hold different examples.
        masking: a `MaskingConfig` for records that hold no masks; None: as the records' settings say.
        tokenizer: gives the vocabulary for it; None: the one the records were made with.
        drop_remainder: whether the last batch of an epoch is left out when it is not full.
        buckets: widths, for example (32, 64, 128): rows of a batch have about one length and are cut to its width.
        pack_length: R: several examples are packed into each row of this length.

    Returns:
        A dataset of `(x, y, sample_weight)`, int32 but for weights: x holds input_ids, input_mask, segment_ids [B, S]
        and masked_lm_positions [B, P]; y holds masked_lm_logits [B, P] and, for pairs, next_sentence_logits [B, 1];
        sample_weight has float32 masked_lm_logits [B, P] and next_sentence_logits [B]. Packed rows [B, R] have
        position_ids, example_ids [B, R] and cls_positions [B, E] in x as well, labels and weights of pairs are [B, E],
        and P and E are the most that a row can hold.
    """
    records = records if isinstance(records, Records) else Records(records)
    masker = _masker(records, masking, tokenizer)
    rows = _rows(records, Plan(batch_size, seed, shuffle, *shard, drop_remainder), masker, buckets, pack_length)

    kinds = [tf.int32 if kind == tf.int64 else kind for _, kind in records.shapes.values()]

    def read(number):
        numbers, counts, width = rows.batch(int(number))
        return *records.load(numbers).values(), counts, np.int32(width)

    def fetch(number):
        *arrays, counts, width = tf.numpy_function(read, [number], [*kinds, tf.int32, tf.int32])
        size = batch_size if drop_remainder else None
        features = {
            name: tf.ensure_shape(array, [None if pack_length else size, columns])
            for array, (name, (columns, _)) in zip(arrays, records.shapes.items(), strict=True)
        }
        if masker:
            batch_seed = tf.stack([seed % 2**31, tf.cast(number * shard[1] + shard[0], tf.int32)])
            features |= masker(features[INPUT_IDS], features[INPUT_MASK], batch_seed)
        if pack_length:
            counts = tf.ensure_shape(counts, [size])
            features = pack_features(features, counts, pack_length, rows.predictions, rows.examples)
        elif buckets:
            features |= {name: features[name][:, :width] for name in (INPUT_IDS, INPUT_MASK, SEGMENT_IDS)}
        return to_training_example(features)

    return numbered_batches(fetch, rows.num_batches, start, repeat)


def make_dataset_from_text(inputs, tokenizer, cache, batch_size, config=None, **settings):
    """`make_dataset` straight from text, by way of records that are written once and masked anew in every epoch.

    Args:
        inputs: files, folders or globs of text.
        tokenizer: a `Tokenizer`, or the path of a vocabulary.
        cache: the folder for the records; what an earlier call with the same arguments left there is used.
        batch_size, settings: as for `make_dataset`.
        config: a `RecordsConfig`.
    """
    write_records(inputs, tokenizer, cache, config or RecordsConfig(static_masking=False))
    return make_dataset(cache, batch_size, **settings)


def to_training_example(features):
    """Sorts a batch of features into `(x, y, sample_weight)` under the names of the model's inputs and outputs."""
    x = {name: features[name] for name in _MODEL_INPUTS if name in features}
    y = {MASKED_LM_LOGITS: features[MASKED_LM_IDS]}
    weight = {MASKED_LM_LOGITS: features[MASKED_LM_WEIGHTS]}
    if NEXT_SENTENCE_LABELS in features:
        y[NEXT_SENTENCE_LOGITS] = labels = features[NEXT_SENTENCE_LABELS]
        weight[NEXT_SENTENCE_LOGITS] = tf.ones_like(labels[:, 0], tf.float32)
        if EXAMPLE_IDS in features:  # a label for each example that the row really has
            examples = tf.reduce_max(features[EXAMPLE_IDS], 1, keepdims=True)
            weight[NEXT_SENTENCE_LOGITS] = tf.cast(tf.range(tf.shape(labels)[1]) < examples, tf.float32)
    return x, y, weight


def _rows(records, plan, masker, buckets, pack_length):
    """Which examples stand in which row, as the arguments of `make_dataset` ask."""
    width = records.shapes[INPUT_IDS][0]
    if buckets and pack_length:
        raise ConfigError("Received both buckets and pack_length. Packed rows have one length.")
    if pack_length:
        if pack_length < width:
            raise ConfigError(f"Received: pack_length={pack_length}. The records' rows are longer: {width}.")
        lengths, predictions = records.measure()
        predictions = masker.config.num_to_predict(lengths) if masker else predictions
        return PackedRows(plan, lengths, predictions, pack_length)
    if buckets:
        return BucketedRows(plan, records.measure()[0], (*sorted(w for w in buckets if w < width), width))
    return SingleRows(plan, len(records), width)


def _masker(records, masking, tokenizer):
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
