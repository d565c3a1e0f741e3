"""The verb `vocab`: from flags and overrides to one library call, with progress bars."""

from bert_tf.core.config import TextConfig, override
from bert_tf.core.progress import stages
from bert_tf.text.tokenizers.train_vocabulary import learn_from_files


def vocab(flags, overrides):
    """Learns a vocabulary, writes it, and prints how well it covers text that was kept out of learning."""
    config = override(TextConfig(lower_case=flags.lower_case), overrides)
    with stages() as progress:
        settings = {name: flags[name].value for name in ("size", "field", "strict", "overwrite", "unused", "sample_mb")}
        report = learn_from_files(flags.input, flags.output, config=config, progress=progress, **settings)
    print(summary(report, flags.output))


def summary(report, output):
    """What was learned from how much, and the rates on held-out text, in a few lines."""
    read, sample, held_out = report["read"], report["sample"], report["held_out"]
    share = f"{sample['bytes'] / max(read['bytes'], 1):.0%}"
    lines = [
        f"{report['size']:,} pieces in {output}",
        f"from {sample['bytes'] / 1e6:,.1f} MB of text, {share} of {read['files']} files",
        f"on {held_out['words']:,} words {'it learned from' if held_out['seen'] else 'kept out of learning'}: "
        f"[UNK] {held_out['unknown_rate']:.3%}, {held_out['pieces_per_word']:.3f} pieces a word",
    ]
    if read["invalid_utf8_lines"]:
        lines.append(f"{read['invalid_utf8_lines']:,} lines held bytes that are not UTF-8, which were replaced")
    return "\n".join(lines)
