"""The records of `write_records` made by Apache Beam, on one machine or a cluster, with the same functions.

Inputs and output are paths that every worker can open: a local disk for DirectRunner, a shared file system for a
cluster.
"""

import collections
import dataclasses
import itertools
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from bert_tf.core.errors import ConfigError
from bert_tf.data.pretraining.corpus_chunks import (
    assign_chunks,
    group_files,
    num_partitions,
    read_chunks,
    tokenize_chunk,
)
from bert_tf.data.pretraining.instances import Block
from bert_tf.data.pretraining.make_records import check_text, num_shards, prepare
from bert_tf.data.pretraining.record_writer import Layout, write_shards
from bert_tf.data.pretraining.records_config import RecordsConfig
from bert_tf.text.tokenizers.base import Tokenizer

_NAMESPACE = "bert_tf"  # of the counters


def write_records_with_beam(
    inputs: str | pathlib.Path | Sequence[str],
    tokenizer: Tokenizer | str | os.PathLike,
    output: str | os.PathLike,
    config: RecordsConfig | None = None,
    runner: str = "DirectRunner",
    options: str = "",
) -> dict:
    """Writes the same bytes as `write_records`.

    A worker holds the text of one shard in memory; do not lower the number of shards below the default.

    Args:
        inputs, tokenizer, output, config: as for `write_records`.
        runner: the name of a Beam runner.
        options: Beam's own options, as on a command line: "--flink_master=localhost:8081 --parallelism=8".

    Returns:
        The report, as saved in `records.json`.
    """
    try:
        import apache_beam as beam
    except ImportError:
        raise ConfigError("Apache Beam is not installed. Install the extra: pip install 'bert_tf[beam]'") from None
    config = config or RecordsConfig()
    files, size, folder = prepare(inputs, tokenizer, output, config)
    if folder.is_finished():
        return folder.report()
    work = _Work(folder.tokenizer, config, num_shards(config, size), folder.path.absolute())
    pipeline = beam.Pipeline(runner, beam.options.pipeline_options.PipelineOptions(options.split()))
    groups = [(number, [path.absolute() for path in paths]) for number, paths in enumerate(group_files(files))]
    _build(beam, pipeline | "Files" >> beam.Create(groups), work)
    with folder.open():
        result = pipeline.run()
        result.wait_until_finish()
        counters = result.metrics().query(beam.metrics.MetricsFilter().with_namespace(_NAMESPACE))["counters"]
        counts = {"files": len(files)} | {found.key.metric.name: found.result for found in counters}
        check_text(collections.Counter(counts), files, config)
        return folder.close(counts, [])


def _build(beam, groups, work):
    """Adds the steps from groups of files to shards."""
    chunks = groups | "Spread files" >> beam.Reshuffle() | "Read" >> beam.FlatMap(work.read)
    blocks = chunks | "Spread chunks" >> beam.Reshuffle() | "Tokenize" >> beam.Map(work.tokenize)
    sizes = blocks | "Sizes" >> beam.Map(_size) | beam.combiners.ToList()
    assignment = beam.pvalue.AsSingleton(sizes | "Assign" >> beam.Map(work.assign))
    units = blocks | "To units" >> beam.FlatMap(_to_units, assignment) | "Units" >> beam.GroupByKey()
    return units | "Write" >> beam.Map(work.write, assignment)


def _size(block):
    place, documents, characters, _ = block
    return place, documents, characters


def _to_units(block, assignment):
    """Sends a chunk to the unit of its partition, and to those of partitions that it is a donor chunk of."""
    place, _, _, arrays = block
    layout, partitions_of = assignment
    for partition, is_donor in partitions_of[place]:
        yield partition % layout.units, (partition, is_donor, place, arrays)


@dataclasses.dataclass(frozen=True)
class _Work:
    """The steps of the pipeline; it is sent to the workers, where each process makes its tokenizer once."""

    tokenizer: Tokenizer
    config: RecordsConfig
    shards: int
    folder: pathlib.Path

    def read(self, group):
        """Yields `((group, index), chunk)`: chunks in the order in which `write_records` numbers them."""
        number, paths = group
        counts: collections.Counter = collections.Counter()
        for index, chunk in enumerate(read_chunks(number, paths, self.config, counts)):
            yield (number, index), chunk
        _report(counts)

    def tokenize(self, item):
        """`((group, index), its first and last document, characters, arrays of a Block)` of a chunk."""
        place, chunk = item
        block, counts = tokenize_chunk(chunk, self.tokenizer, self.config.split_sentences, self.config.scrubber)
        _report(counts)
        return place, (chunk[0][0], chunk[-1][0]), counts["characters"], vars(block)

    def assign(self, sizes):
        """The `Layout`, and `{(group, index): [(partition, whether as a donor chunk)]}` of all chunks."""
        places, documents, characters = zip(*sorted(sizes), strict=True) if sizes else ((), (), ())
        layout = Layout(num_partitions(sum(characters)), self.shards, self.config.gzip)
        partitions_of: dict[Any, list] = {place: [] for place in places}
        for partition, (own, donors) in enumerate(assign_chunks(documents, layout.partitions, self.config.seed)):
            for chunk in own:
                partitions_of[places[chunk]].append((partition, False))
            for chunk in donors:
                partitions_of[places[chunk]].append((partition, True))
        return layout, partitions_of

    def write(self, unit, assignment):
        """Writes the shards of one unit, whose chunks come in any order."""
        number, chunks = unit
        chunks = sorted(chunks, key=lambda chunk: chunk[:3])
        partitions = []
        for partition, found in itertools.groupby(chunks, key=lambda chunk: chunk[0]):
            own, donors = [], []
            for _, is_donor, _, arrays in found:
                (donors if is_donor else own).append(Block(**arrays))
            partitions.append((partition, own, donors))
        paths = [self.folder / name for name in assignment[0].names_of(number)]
        _report(write_shards(self.tokenizer, partitions, paths, self.config))


def _report(counts):
    from apache_beam.metrics import Metrics

    for name, number in counts.items():
        Metrics.counter(_NAMESPACE, name).inc(number)
