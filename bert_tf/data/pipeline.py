"""Batches for training from records, as a `tf.data.Dataset` that can begin at any batch."""

import tensorflow as tf

from bert_tf.data.plans import Plan, SingleRows
from bert_tf.data.reader import Records
from bert_tf.errors import ConfigError
from bert_tf.features import (
    INPUT_IDS,
    INPUT_MASK,
    MASKED_LM_IDS,
    MASKED_LM_LOGITS,
    MASKED_LM_POSITIONS,
    MASKED_LM_WEIGHTS,
    NEXT_SENTENCE_LABELS,
    NEXT_SENTENCE_LOGITS,
    SEGMENT_IDS,
)
from bert_tf.text.masking import Masker, MaskingConfig

# Legend: B batch, S sequence, P predictions.

_MODEL_INPUTS = (INPUT_IDS, INPUT_MASK, SEGMENT_IDS, MASKED_LM_POSITIONS)


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

    Returns:
        A dataset of `(x, y, sample_weight)`, int32 but for weights: x holds input_ids, input_mask, segment_ids [B, S]
        and masked_lm_positions [B, P]; y holds masked_lm_logits [B, P] and, for pairs, next_sentence_logits [B, 1];
        sample_weight has float32 masked_lm_logits [B, P] and next_sentence_logits [B].
    """
    records = records if isinstance(records, Records) else Records(records)
    rows = SingleRows(Plan(batch_size, seed, shuffle, *shard, drop_remainder), len(records))
    masker = _masker(records, masking, tokenizer)

    def fetch(number):
        serialized = tf.numpy_function(lambda k: records.read(rows.batch(int(k))), [number], tf.string)
        features = records.parse(tf.ensure_shape(serialized, [batch_size if drop_remainder else None]))
        if masker:
            features |= masker(features[INPUT_IDS], features[INPUT_MASK], tf.stack([seed, tf.cast(number, tf.int32)]))
        return to_training_example(features)

    end = tf.int64.max if repeat is None else repeat * rows.num_batches
    dataset = tf.data.Dataset.range(start, end).map(fetch, tf.data.AUTOTUNE, deterministic=True)
    if repeat is None:
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF  # `shard` does it
    return dataset.with_options(options).prefetch(tf.data.AUTOTUNE)


def to_training_example(features):
    """Sorts a batch of features into `(x, y, sample_weight)` under the names of the model's inputs and outputs."""
    x = {name: features[name] for name in _MODEL_INPUTS}
    y = {MASKED_LM_LOGITS: features[MASKED_LM_IDS]}
    weight = {MASKED_LM_LOGITS: features[MASKED_LM_WEIGHTS]}
    if NEXT_SENTENCE_LABELS in features:
        y[NEXT_SENTENCE_LOGITS] = features[NEXT_SENTENCE_LABELS]
        weight[NEXT_SENTENCE_LOGITS] = tf.ones(tf.shape(features[NEXT_SENTENCE_LABELS])[:1])
    return x, y, weight


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
