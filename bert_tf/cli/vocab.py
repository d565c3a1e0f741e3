"""The verb `vocab`."""

from bert_tf.core.config import TextConfig, override
from bert_tf.core.progress import stages

# Flags that are arguments of `learn_from_files`.
SETTINGS = ("size", "field", "strict", "encoding", "overwrite", "unused", "sample_mb", "kind")


def vocab(flags, overrides):
    """Learns a vocabulary, writes it, and prints how well it covers held-out text."""
    config = override(TextConfig(lower_case=flags.lower_case), overrides)  # before TensorFlow is imported
    from bert_tf.text.tokenizers.train_vocabulary import learn_from_files

    with stages() as progress:
        settings = {name: flags[name].value for name in SETTINGS}
        report = learn_from_files(flags.input, flags.output, config=config, progress=progress, **settings)
    print(summary(report, flags.output))


def summary(report: dict, output: str) -> str:
    """The report in a few lines: size, text read, and rates on held-out text."""
    read, sample, held_out = report["read"], report["sample"], report["held_out"]
    share = f"{sample['bytes'] / max(read['bytes'], 1):.0%}"
    lines = [
        f"{report['size']:,} tokens in {output}",
        f"learned from {sample['bytes'] / 1e6:,.1f} MB of text, {share} of {read['files']} files",
        f"on {held_out['words']:,} {'learned' if held_out['seen'] else 'held-out'} words: "
        f"unknown {held_out['unknown_rate']:.3%}, {held_out['pieces_per_word']:.3f} tokens per word",
    ]
    if read["invalid_utf8_lines"]:
        lines.append(f"{read['invalid_utf8_lines']:,} lines had invalid UTF-8, which was replaced")
    return "\n".join(lines)
