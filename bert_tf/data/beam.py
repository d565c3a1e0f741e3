"""The records of `write_records` made by Apache Beam, on one machine or a cluster, with the same functions.

Reads and writes paths that every worker can reach: a local disk for DirectRunner, a shared file system for a cluster.
"""

import dataclasses
import functools
import pathlib

from bert_tf.data.examples import serialize
from bert_tf.data.folder import RecordsFolder
from bert_tf.data.instances import Block
from bert_tf.data.pages import deal_pages, group_files, num_buckets, read_pages, tokenize_page
from bert_tf.data.records import RecordsConfig, check_vocabulary, num_shards
from bert_tf.data.shards import PREFIX, count, make_examples
from bert_tf.errors import ConfigError
from bert_tf.text.corpus import find_files, unpacked_bytes
from bert_tf.text.tokenizer import Tokenizer


def write_records_with_beam(inputs, tokenizer, output, config=None, runner="DirectRunner", options=""):
    """Like `write_records`, with the same examples in another order.

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
    work = _Work(tuple(tokenizer.vocabulary), tokenizer.config, config)
    pipeline = beam.Pipeline(runner, beam.options.pipeline_options.PipelineOptions(options.split()))
    groups = [(number, [path.absolute() for path in paths]) for number, paths in enumerate(group_files(files))]
    examples = _examples(beam, pipeline | "Files" >> beam.Create(groups), work)
    examples | "Write" >> beam.io.WriteToTFRecord(
        str(folder.path / PREFIX),
        file_name_suffix=".tfrecord" + (".gz" if config.gzip else ""),
        num_shards=num_shards(config, sum(map(unpacked_bytes, files))),
        shard_name_template="-SSSSS-of-NNNNN",
    )
    result = pipeline.run()
    result.wait_until_finish()
    counters = result.metrics().query(beam.metrics.MetricsFilter().with_namespace(_NAMESPACE))["counters"]
    return folder.close({"files": len(files)}, [{found.key.metric.name: found.result for found in counters}])


_NAMESPACE = "bert_tf"


def _examples(beam, groups, work):
    """Groups of files to serialized examples, as PCollections."""
    pages = groups | "Spread files" >> beam.Reshuffle() | "Read" >> beam.FlatMap(work.read)
    blocks = pages | "Spread pages" >> beam.Reshuffle() | "Tokenize" >> beam.Map(work.tokenize)
    sizes = blocks | "Sizes" >> beam.Map(lambda block: block[:2]) | beam.combiners.ToList()
    deal = sizes | "Deal" >> beam.Map(work.deal)
    return (
        blocks
        | "To buckets" >> beam.Map(_to_bucket, beam.pvalue.AsSingleton(deal))
        | "Buckets" >> beam.GroupByKey()
        | "Examples" >> beam.FlatMap(work.examples)
    )


def _to_bucket(block, deal):
    place, _, arrays = block
    number, bucket = deal[place]
    return bucket, (number, arrays)


@dataclasses.dataclass(frozen=True)
class _Work:
    """The steps of the pipeline; travels to the workers, where each process makes its own tokenizer."""

    vocabulary: tuple
    text: object
    config: RecordsConfig

    def read(self, group):
        """Yields `((group, index), page)`: pages in the order in which `write_records` numbers them."""
        number, paths = group
        for index, page in enumerate(read_pages(number, paths, self.config)):
            yield (number, index), page

    def tokenize(self, item):
        """`((group, index), characters, arrays of a Block)` of a page."""
        place, page = item
        block, counts = tokenize_page(page, _tokenizer(self.vocabulary, self.text), self.config.split_sentences)
        _report(counts)
        return place, counts["characters"], vars(block)

    def deal(self, sizes):
        """`{(group, index): (number, bucket)}` of all pages."""
        places = sorted(place for place, _ in sizes)
        buckets = num_buckets(sum(characters for _, characters in sizes))
        bucket_of = deal_pages(len(places), buckets, self.config.seed).tolist()
        return {place: (number, bucket_of[number]) for number, place in enumerate(places)}

    def examples(self, bucket):
        """Yields the serialized examples of a bucket, whose pages come in any order."""
        number, pages = bucket
        block = Block.join([Block(**arrays) for _, arrays in sorted(pages, key=lambda page: page[0])])
        for rows in make_examples(block, number, self.config, _tokenizer(self.vocabulary, self.text)):
            _report(count(rows))
            yield from serialize(rows, self.config.schema)


@functools.lru_cache(1)
def _tokenizer(vocabulary, config):
    return Tokenizer(vocabulary, config)


def _report(counts):
    from apache_beam.metrics import Metrics

    for name, number in counts.items():
        Metrics.counter(_NAMESPACE, name).inc(number)
