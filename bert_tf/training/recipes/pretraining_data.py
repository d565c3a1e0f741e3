"""The records of a pretraining run, checked against each other and against the model before any work starts."""

import functools
import hashlib
import math
import typing

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import ConfigError
from bert_tf.core.features import INPUT_IDS, NEXT_SENTENCE_LABELS
from bert_tf.data.pipeline.pretraining_dataset import make_dataset
from bert_tf.data.pipeline.record_reader import Records
from bert_tf.text.tokenizers.vocabulary import read_vocabulary
from bert_tf.training.callbacks.metrics_logger import short_name
from bert_tf.training.distribution.phases import Phase, distribute, rows_a_replica


class Source:
    """Records to train and to evaluate on, as a `PhaseConfig` names them."""

    def __init__(self, phase, config):
        self.phase, self.config = phase, config
        self.records = Records(phase.records, config.skip_records)
        self.heldout = Records(phase.heldout, config.skip_records) if phase.heldout else None

    def phase_of(self, steps):
        """The `Phase` of so many steps on these records."""
        return Phase(steps, self.phase.batch_size, self.read, self.evaluate if self.heldout else None)

    def read(self, rows, start, shard):
        """Batches to train on, as `Phase` wants them."""
        return self._dataset(self.records, rows, start=start, shard=shard)

    def evaluate(self, model):
        """Losses, accuracies and the masked perplexity on held-out records: means over batches as in training."""
        strategy = model.distribute_strategy
        rows = rows_a_replica(strategy, self.phase.batch_size)
        steps = min(len(self.heldout_batches(rows, strategy.num_replicas_in_sync)), self.config.evaluate_batches)
        data = distribute(strategy, functools.partial(self._dataset, self.heldout, shuffle=False), rows)
        scores = model.evaluate(data, steps=steps, verbose=0, return_dict=True)
        scores = {short_name(name): value for name, value in scores.items()}
        scores.setdefault("masked_lm_loss", scores["loss"])  # Keras has one name for one loss
        return scores | {"masked_lm_perplexity": math.exp(min(scores["masked_lm_loss"], 700))}

    def heldout_batches(self, rows, shards=1):
        """One pass over the held-out records, or the first of so many shards of them."""
        return self._dataset(self.heldout, rows, shard=(0, shards), shuffle=False, repeat=1)

    def _dataset(self, records, rows, **settings):
        how = {"seed": self.config.seed, "buckets": self.phase.buckets or None, "pack_length": self.phase.pack_length}
        return make_dataset(records, rows, **how, **settings)


class Vocabulary(typing.NamedTuple):
    """The pieces that ids stand for, and the `TextConfig` that goes with them."""

    vocabulary: list
    config: TextConfig


def vocabulary_of(sources, model):
    """The `Vocabulary` that all the records were made with; records that differ in it are refused.

    Args:
        sources: list of `Source`.
        model: the `ModelConfig`; its `vocabulary` is for records that another program wrote.
    """
    records = [found for source in sources for found in (source.records, source.heldout) if found]
    ours = [found for found in records if found.report]
    if model.vocabulary:
        found = Vocabulary(read_vocabulary(model.vocabulary), TextConfig(lower_case=model.lower_case))
    elif ours:
        found = Vocabulary(ours[0].tokenizer().vocabulary, ours[0].text_config)
    else:
        raise ConfigError(f"{records[0].files[0]} is another program's: set model.vocabulary, and model.lower_case.")
    for other in ours:
        check_vocabulary(other, found.vocabulary, model.vocabulary or ours[0].folder)
    return found


def check_vocabulary(records, vocabulary, owner):
    """Raises `ConfigError` unless records were made with this vocabulary, by its hash."""
    digest = hashlib.sha256("\n".join(vocabulary).encode()).hexdigest()
    if records.report and records.report["vocabulary"]["sha256"] != digest:
        raise ConfigError(
            f"{records.folder} was made with another vocabulary ({records.report['vocabulary']['size']:,} pieces) than "
            f"that of {owner} ({len(vocabulary):,} pieces). Make the records again with bert-tf records --vocab."
        )


def have_next_sentence(sources):
    """Whether the records have labels of next sentences; some with and some without raise `ConfigError`."""
    records = [found for source in sources for found in (source.records, source.heldout) if found]
    having = [found for found in records if NEXT_SENTENCE_LABELS in found.shapes]
    if having and len(having) < len(records):
        other = next(found for found in records if found not in having)
        raise ConfigError(
            f"{having[0].files[0]} has labels of next sentences, {other.files[0]} has none. Make both alike."
        )
    return bool(having)


def check_lengths(sources, positions):
    """Raises `ConfigError` if rows are longer than the model has positions."""
    for source in sources:
        if (source.phase.pack_length or 0) > positions:
            raise ConfigError(f"Received: pack_length={source.phase.pack_length}. The model has {positions} positions.")
        for records in (source.records, source.heldout):
            if records and (width := records.shapes[INPUT_IDS][0]) > positions:
                raise ConfigError(
                    f"{records.files[0]} has examples of {width} pieces; the model has {positions} positions. "
                    f"Set model.max_positions={width}, or make shorter records."
                )
