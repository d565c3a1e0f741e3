"""The records of `write_records` made by Apache Beam, on one machine or a cluster, with the same functions.

Reads and writes paths that every worker can reach: a local disk for DirectRunner, a shared file system for a cluster.
"""

import collections
import dataclasses
import functools
import itertools
import pathlib

from bert_tf.core.errors import ConfigError
from bert_tf.data.pretraining.corpus_chunks import deal_pages, group_files, num_buckets, read_pages, tokenize_page
from bert_tf.data.pretraining.instances import Block
from bert_tf.data.pretraining.make_records import RecordsConfig, check_text, num_shards, prepare
from bert_tf.data.pretraining.record_writer import Layout, write_shards
from bert_tf.text.tokenizers.base import Tokenizer

_NAMESPACE = "bert_tf"  # of the counters


def write_records_with_beam(inputs, tokenizer, output, config=None, runner="DirectRunner", options=""):
    """Writes the same bytes as `write_records`.

    A worker holds the text of a shard in memory, so leave their number as it is, or raise it.

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
    folder.open()
    vocabulary, text = tuple(folder.tokenizer.vocabulary), folder.tokenizer.config
    work = _Work(vocabulary, text, config, num_shards(config, size), folder.path.absolute())
    pipeline = beam.Pipeline(runner, beam.options.pipeline_options.PipelineOptions(options.split()))
    groups = [(number, [path.absolute() for path in paths]) for number, paths in enumerate(group_files(files))]
    _build(beam, pipeline | "Files" >> beam.Create(groups), work)
    result = pipeline.run()
    result.wait_until_finish()
    counters = result.metrics().query(beam.metrics.MetricsFilter().with_namespace(_NAMESPACE))["counters"]
    counts = {"files": len(files)} | {found.key.metric.name: found.result for found in counters}
    check_text(collections.Counter(counts), files, config)
    return folder.close(counts, [])


def _build(beam, groups, work):
    """Adds the steps from groups of files to shards."""
    pages = groups | "Spread files" >> beam.Reshuffle() | "Read" >> beam.FlatMap(work.read)
    blocks = pages | "Spread pages" >> beam.Reshuffle() | "Tokenize" >> beam.Map(work.tokenize)
    sizes = blocks | "Sizes" >> beam.Map(_size) | beam.combiners.ToList()
    deal = beam.pvalue.AsSingleton(sizes | "Deal" >> beam.Map(work.deal))
    units = blocks | "To units" >> beam.FlatMap(_to_units, deal) | "Units" >> beam.GroupByKey()
    return units | "Write" >> beam.Map(work.write, deal)


def _size(block):
    place, documents, characters, _ = block
    return place, documents, characters


def _to_units(block, deal):
    """Sends a page to the unit of its bucket, and to those where it is a guest."""
    place, _, _, arrays = block
    layout, buckets_of = deal
    for bucket, is_guest in buckets_of[place]:
        yield bucket % layout.units, (bucket, is_guest, place, arrays)


@dataclasses.dataclass(frozen=True)
class _Work:
    """The steps of the pipeline; travels to the workers, where each process makes its own tokenizer."""

    vocabulary: tuple
    text: object
    config: RecordsConfig
    shards: int
    folder: pathlib.Path

    def read(self, group):
        """Yields `((group, index), page)`: pages in the order in which `write_records` numbers them."""
        number, paths = group
        counts = collections.Counter()
        for index, page in enumerate(read_pages(number, paths, self.config, counts)):
            yield (number, index), page
        _report(counts)

    def tokenize(self, item):
        """`((group, index), its first and last document, characters, arrays of a Block)` of a page."""
        place, page = item
        block, counts = tokenize_page(page, _tokenizer(self.vocabulary, self.text), self.config.split_sentences)
        _report(counts)
        return place, (page[0][0], page[-1][0]), counts["characters"], vars(block)

    def deal(self, sizes):
        """The `Layout`, and `{(group, index): [(bucket, whether as a guest)]}` of all pages."""
        places, documents, characters = zip(*sorted(sizes), strict=True) if sizes else ((), (), ())
        layout = Layout(num_buckets(sum(characters)), self.shards, self.config.gzip)
        buckets_of = {place: [] for place in places}
        for bucket, kinds in enumerate(deal_pages(documents, layout.buckets, self.config.seed)):
            for is_guest, pages in enumerate(kinds):
                for page in pages:
                    buckets_of[places[page]].append((bucket, bool(is_guest)))
        return layout, buckets_of

    def write(self, unit, deal):
        """Writes the shards of one unit, whose pages come in any order."""
        number, pages = unit
        pages = sorted(pages, key=lambda page: page[:3])
        buckets = []
        for bucket, found in itertools.groupby(pages, key=lambda page: page[0]):
            own, guests = [], []
            for _, is_guest, _, arrays in found:
                (guests if is_guest else own).append(Block(**arrays))
            buckets.append((bucket, own, guests))
        paths = [self.folder / name for name in deal[0].names_of(number)]
        _report(write_shards(_tokenizer(self.vocabulary, self.text), buckets, paths, self.config))


@functools.lru_cache(1)
def _tokenizer(vocabulary, config):
    return Tokenizer(vocabulary, config)


def _report(counts):
    from apache_beam.metrics import Metrics

    for name, number in counts.items():
        Metrics.counter(_NAMESPACE, name).inc(number)
