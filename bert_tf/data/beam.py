"""The records of `write_records` made by Apache Beam, on one machine or a cluster, with the same functions.

Reads and writes paths that every worker can reach: a local disk for DirectRunner, a shared file system for a cluster.
"""

import collections
import dataclasses
import functools
import itertools
import pathlib

from bert_tf.data.folder import RecordsFolder
from bert_tf.data.instances import Block
from bert_tf.data.pages import deal_pages, group_files, num_buckets, read_pages, tokenize_page
from bert_tf.data.records import RecordsConfig, check_vocabulary, num_shards
from bert_tf.data.shards import Layout, write_shards
from bert_tf.errors import ConfigError
from bert_tf.text.corpus import find_files, unpacked_bytes
from bert_tf.text.tokenizer import Tokenizer


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
    check_vocabulary(tokenizer, config)
    files = find_files(inputs)
    folder = RecordsFolder(pathlib.Path(output), files, tokenizer, config)
    if folder.is_finished():
        return folder.report()
    folder.open()
    shards = num_shards(config, sum(map(unpacked_bytes, files)))
    work = _Work(tuple(tokenizer.vocabulary), tokenizer.config, config, shards, folder.path.absolute())
    pipeline = beam.Pipeline(runner, beam.options.pipeline_options.PipelineOptions(options.split()))
    groups = [(number, [path.absolute() for path in paths]) for number, paths in enumerate(group_files(files))]
    _build(beam, pipeline | "Files" >> beam.Create(groups), work)
    result = pipeline.run()
    result.wait_until_finish()
    counters = result.metrics().query(beam.metrics.MetricsFilter().with_namespace(_NAMESPACE))["counters"]
    return folder.close({"files": len(files)}, [{found.key.metric.name: found.result for found in counters}])


_NAMESPACE = "bert_tf"


def _build(beam, groups, work):
    """Adds the steps from groups of files to shards."""
    pages = groups | "Spread files" >> beam.Reshuffle() | "Read" >> beam.FlatMap(work.read)
    blocks = pages | "Spread pages" >> beam.Reshuffle() | "Tokenize" >> beam.Map(work.tokenize)
    sizes = blocks | "Sizes" >> beam.Map(_size) | beam.combiners.ToList()
    deal = beam.pvalue.AsSingleton(sizes | "Deal" >> beam.Map(work.deal))
    units = blocks | "To units" >> beam.Map(_to_unit, deal) | "Units" >> beam.GroupByKey()
    return units | "Write" >> beam.Map(work.write, deal)


def _size(block):
    place, characters, _ = block
    return place, characters


def _to_unit(block, deal):
    place, _, arrays = block
    layout, bucket_of = deal
    return bucket_of[place] % layout.units, (bucket_of[place], place, arrays)


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
        """`((group, index), characters, arrays of a Block)` of a page."""
        place, page = item
        block, counts = tokenize_page(page, _tokenizer(self.vocabulary, self.text), self.config.split_sentences)
        _report(counts)
        return place, counts["characters"], vars(block)

    def deal(self, sizes):
        """The `Layout`, and `{(group, index): bucket}` of all pages."""
        places = sorted(place for place, _ in sizes)
        layout = Layout(num_buckets(sum(characters for _, characters in sizes)), self.shards, self.config.gzip)
        return layout, dict(
            zip(places, deal_pages(len(places), layout.buckets, self.config.seed).tolist(), strict=True)
        )

    def write(self, unit, deal):
        """Writes the shards of one unit, whose pages come in any order."""
        number, pages = unit
        pages = sorted(pages, key=lambda page: page[:2])
        buckets = (
            (bucket, Block.join([Block(**arrays) for _, _, arrays in found]))
            for bucket, found in itertools.groupby(pages, key=lambda page: page[0])
        )
        paths = [self.folder / name for name in deal[0].names_of(number)]
        _report(write_shards(_tokenizer(self.vocabulary, self.text), buckets, paths, self.config))


@functools.lru_cache(1)
def _tokenizer(vocabulary, config):
    return Tokenizer(vocabulary, config)


def _report(counts):
    from apache_beam.metrics import Metrics

    for name, number in counts.items():
        Metrics.counter(_NAMESPACE, name).inc(number)
