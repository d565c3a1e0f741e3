"""Pretraining records from text of any size: tokenize chunks, assign them to partitions, write instances to shards.

Everything random is a function of the seed and of a partition's number, so that the bytes do not depend on how many
processes work.
"""

import collections
import os
import pathlib
import re
import shutil
from collections.abc import Callable, Sequence

from bert_tf.core.errors import InputError
from bert_tf.data.pretraining.corpus_chunks import assign_chunks, group_files, num_partitions, read_chunks, save_chunk
from bert_tf.data.pretraining.process_pool import ProcessPool
from bert_tf.data.pretraining.record_writer import Layout, write_shards_of_files
from bert_tf.data.pretraining.records_config import RecordsConfig
from bert_tf.data.pretraining.records_folder import CHUNKS, RecordsFolder
from bert_tf.text.corpus import check_encoding, find_files, unpacked_bytes
from bert_tf.text.tokenizers.base import Tokenizer

_BYTES_PER_PROCESS = 16 << 20  # for less text a process takes longer to start than it saves
_BYTES_PER_SHARD = 32 << 20
_MIN_SHARDS = 4


def write_records(
    inputs: str | pathlib.Path | Sequence[str],
    tokenizer: Tokenizer | str | os.PathLike,
    output: str | os.PathLike,
    config: RecordsConfig | None = None,
    progress: Callable[[str, float, float], None] | None = None,
) -> dict:
    """Writes TFRecord shards of pretraining examples, `records.json` and `vocab.txt` to a folder.

    A run that was killed resumes where it stopped when it is called again with the same arguments; finished records
    of the same arguments are left as they are.

    Args:
        inputs: files, folders or globs, as `find_files` takes them.
        tokenizer: a `Tokenizer`, or the path of a vocabulary.
        output: a folder that is new, empty, or holds these records.
        config: a `RecordsConfig`.
        progress: called as `progress(stage, done, total)`, stages "tokenize" (bytes) and "write" (units of work).

    Returns:
        The report, as saved in `records.json`.

    Raises:
        InputError: `output` holds anything else, or the text or the vocabulary cannot give records.
    """
    config = config or RecordsConfig()
    progress = progress or (lambda stage, done, total: None)
    files, size, folder = prepare(inputs, tokenizer, output, config)
    if folder.is_finished():
        return folder.report()
    processes = config.num_processes or min(os.cpu_count() or 1, 1 + size // _BYTES_PER_PROCESS)
    with folder.open(), ProcessPool(folder.tokenizer, processes) as pool:
        chunks = folder.remember(CHUNKS, lambda: _write_chunks(files, size, config, folder, pool, progress))
        units = _write_shards(chunks, num_shards(config, size), config, folder, pool, progress)
        return folder.close(chunks["counts"], units)


def prepare(
    inputs: str | pathlib.Path | Sequence[str],
    tokenizer: Tokenizer | str | os.PathLike,
    output: str | os.PathLike,
    config: RecordsConfig,
) -> tuple[list[pathlib.Path], int, RecordsFolder]:
    """Checks the arguments of a run; returns its files, their unpacked size in bytes, and its `RecordsFolder`."""
    _refuse_addresses([*([inputs] if isinstance(inputs, str | os.PathLike) else inputs), output])
    if isinstance(tokenizer, str | os.PathLike):
        tokenizer = Tokenizer.from_file(tokenizer)
    _check_vocabulary(tokenizer, config)
    if config.scrubber:
        config.scrubber.check()
    files = find_files(inputs)
    return files, sum(map(unpacked_bytes, files)), RecordsFolder(pathlib.Path(output), files, tokenizer, config)


def num_shards(config: RecordsConfig, size: int) -> int:
    """How many shards records of `size` bytes of text have."""
    return config.shards or max(_MIN_SHARDS, -(-size // _BYTES_PER_SHARD))


def _refuse_addresses(paths):
    """Raises `InputError` for URLs such as gs://bucket/..., which `pathlib` would take for a folder named gs:."""
    for path in map(str, paths):
        if address := re.search(r"\b[a-z0-9]{2,}:/\S*", path):
            raise InputError(
                f"Received: {address[0]}. Records are read and written by paths of the file system, with Beam too. "
                "Mount the bucket where every worker reaches it, and give the path that it has there."
            )


def _check_vocabulary(tokenizer, config):
    """Raises `InputError` if the vocabulary lacks a special token that the records need."""
    tokens = tokenizer.SPECIAL_TOKENS
    needed = [tokens.pad, tokens.cls, tokens.sep] + [tokens.mask] * config.static_masking
    if missing := [token for token in needed if tokenizer.id_of(token) is None]:
        raise InputError(f"The vocabulary of {tokenizer.vocab_size} tokens has no {' and no '.join(missing)}.")


def check_text(counts: collections.Counter, files: Sequence[pathlib.Path], config: RecordsConfig) -> None:
    """Raises `InputError` if the text that was counted can give no examples."""
    check_encoding(counts, files, config.encoding)
    if not counts["pieces"]:
        raise InputError(f"There is no text in the {len(files)} input file(s), the first of which is {files[0]}.")
    if config.has_pairs and counts["sentences"] == counts["documents_of_one_sentence"]:
        raise InputError(
            f"Each of the {counts['documents']:,} documents has one sentence, so that nothing comes next. "
            "Blank lines end documents: remove them between sentences, or set objective=none."
        )


def _write_chunks(files, size, config, folder, pool, progress):
    """Tokenizes the corpus into chunk files; returns the documents of each chunk and the counts."""
    counts = collections.Counter(files=len(files))
    shutil.rmtree(folder.chunks, ignore_errors=True)
    folder.chunks.mkdir()

    def items():
        number = 0
        for group, paths in enumerate(group_files(files)):
            for chunk in read_chunks(group, paths, config, counts):
                yield chunk, config.split_sentences, config.scrubber, folder.chunk(number)
                number += 1

    documents = []
    for ends, found in pool.map(save_chunk, items()):
        documents.append(ends)
        counts.update(found)
        progress("tokenize", counts["bytes"], size)
    check_text(counts, files, config)
    return {"documents": documents, "counts": counts}


def _write_shards(chunks, shards, config, folder, pool, progress):
    """Writes all shards that do not exist yet; returns the counts of each unit of work."""
    layout = Layout(num_partitions(chunks["counts"]["characters"]), shards, config.gzip)
    assigned = assign_chunks(chunks["documents"], layout.partitions, config.seed)
    remaining = [unit for unit in range(layout.units) if not folder.has(f"unit-{unit}")]

    def items():
        for unit in remaining:
            partitions = []
            for number in layout.partitions_of(unit):
                own, donors = assigned[number]
                partitions.append((number, list(map(folder.chunk, own)), list(map(folder.chunk, donors))))
            yield partitions, [folder.path / name for name in layout.names_of(unit)], config

    done = layout.units - len(remaining)
    progress("write", done, layout.units)
    for unit, counts in zip(remaining, pool.map(write_shards_of_files, items()), strict=True):
        folder.remember(f"unit-{unit}", lambda counts=counts: counts)
        done += 1
        progress("write", done, layout.units)
    return [folder.remember(f"unit-{unit}") for unit in range(layout.units)]
