"""The verbs `records` and `inspect`."""

from bert_tf.core.config import assignment, override
from bert_tf.core.progress import stages
from bert_tf.data.pretraining.records_config import RecordsConfig
from bert_tf.text.scrubbing import KINDS

# Flags that set the field of the same name in RecordsConfig; all other fields are set by key=value.
SETTINGS = (
    *("objective", "masking", "max_length", "max_predictions", "dupe_factor", "seed", "schema", "shards", "field"),
    *("gzip", "strict", "encoding", "scrub", "num_processes"),
)
_TEXTS = ("objective", "masking", "schema", "field", "encoding")  # those of them whose value is a text


def records(flags, overrides):
    """Writes records and prints a summary of them."""
    given = {name: flags[name].value for name in SETTINGS if flags[name].present}
    given = [
        assignment(name, value) if name in _TEXTS else f"{name}={str(value).lower()}" for name, value in given.items()
    ]
    config = override(RecordsConfig(), [*given, *overrides])  # a mistake is reported before TensorFlow is imported
    from bert_tf.data.pretraining.make_records import write_records
    from bert_tf.text.tokenizers.base import Tokenizer

    tokenizer = Tokenizer.from_file(flags.vocab, lower_case=flags.lower_case)
    if flags.runner == "processes":
        with stages() as progress:
            report = write_records(flags.input, tokenizer, flags.output, config, progress)
    else:
        from bert_tf.data.pretraining.beam import write_records_with_beam

        report = write_records_with_beam(
            flags.input, tokenizer, flags.output, config, flags.runner, flags.beam_options or ""
        )
    print(summary(report, flags.output))


def inspect(flags, overrides):
    """Prints examples."""
    from bert_tf.data.pretraining.inspect_records import show
    from bert_tf.text.tokenizers.base import Tokenizer

    show(flags.input, flags.count, flags.seed, flags.vocab and Tokenizer.from_file(flags.vocab))


def summary(report: dict, output: str) -> str:
    """The report in a few lines: numbers of examples and tokens, rates, and repairs of the text."""
    from bert_tf.data.pretraining.inspect_records import format_rates

    counts, rates = report["counts"], report["rates"]
    lines = [
        f"{counts.get('examples', 0):,} examples in {len(report['shards'])} shards in {output}",
        f"from {counts['documents']:,} documents, {counts['sentences']:,} sentences, {counts['pieces']:,} tokens; "
        + format_rates(rates),
    ]
    scrubbed = [f"{counts[f'scrubbed_{kind}']:,} {kind}" for kind in KINDS if counts.get(f"scrubbed_{kind}")]
    if report["settings"].get("scrub"):
        lines.append(f"personal data replaced: {', '.join(scrubbed) or 'none found'}")
    notes = {
        "invalid_utf8_lines": "lines with invalid UTF-8, which was replaced",
        "nul_bytes": "NUL bytes, which were removed",
        "long_lines": "lines of over 1 MiB, which were cut into parts",
    }
    if "random_or_swapped" in counts:  # pairs
        notes["documents_of_one_sentence"] = "documents of one sentence, which have no next sentence and gave no pairs"
    lines += [f"{note}: {counts[name]:,}" for name, note in notes.items() if counts.get(name)]
    return "\n".join(lines)
