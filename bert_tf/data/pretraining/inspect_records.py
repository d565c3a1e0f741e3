"""Shows pretraining examples as people read them."""

import rich.console
import rich.text

from bert_tf.core.errors import ConfigError
from bert_tf.core.features import (
    INPUT_IDS,
    INPUT_MASK,
    IS_RANDOM,
    MASKED_LM_IDS,
    MASKED_LM_POSITIONS,
    MASKED_LM_WEIGHTS,
    NEXT_SENTENCE_LABELS,
    SEGMENT_IDS,
)
from bert_tf.data.pipeline.batch_samplers import BatchPlan, SequentialSampler
from bert_tf.data.pipeline.record_reader import Records

_SECOND, _HIDDEN, _RANDOM, _KEPT, _TARGET = "cyan", "bold red", "bold yellow", "bold magenta", "green"


def show(path, count=3, seed=None, tokenizer=None, console=None):
    """Prints examples of the records at `path`.

    Args:
        path: what `Records` takes.
        count: how many examples.
        seed: which ones; None: the first.
        tokenizer: for records without a vocabulary of their own.
        console: a `rich.console.Console`.
    """
    console = console or rich.console.Console(highlight=False)
    records = Records(path)
    tokenizer = tokenizer or records.tokenizer()
    _show_summary(records, tokenizer.SPECIAL_TOKENS.mask, console)
    sampler = SequentialSampler(BatchPlan(1, seed or 0, shuffle=seed is not None), len(records), None)
    for place in range(min(count, len(records))):
        number = int(sampler.batch(place).examples[0])
        features = {name: value[0].numpy() for name, value in records.parse(records.read([number])).items()}
        if (largest := features[INPUT_IDS].max()) >= tokenizer.vocab_size:
            raise ConfigError(
                f"Example {number} has the id {largest}; the vocabulary ends at {tokenizer.vocab_size - 1}. Name the "
                "vocabulary of these records with --vocab."
            )
        console.print(*describe(features, tokenizer, number), sep="\n")


def describe(features, tokenizer, number):
    """A heading and the text of one example, as `rich.text.Text`.

    Args:
        features: `{name: array}` of one example, without the batch axis.
        tokenizer: the `Tokenizer` that the ids are of.
        number: printed in the heading.
    """
    vocabulary = tokenizer.vocabulary
    pieces = int(features[INPUT_MASK].sum())
    width = len(features[INPUT_MASK])
    heading = rich.text.Text(f"\nexample {number:,}: {pieces} of {width} pieces ({pieces / width:.0%} full)", "bold")
    if NEXT_SENTENCE_LABELS in features:
        random = features[NEXT_SENTENCE_LABELS][0] == IS_RANDOM
        heading.append(", second segment: " + ("random or swapped" if random else "really next"))
    targets = {}
    if MASKED_LM_WEIGHTS in features:
        real = features[MASKED_LM_WEIGHTS] > 0
        targets = dict(zip(features[MASKED_LM_POSITIONS][real], features[MASKED_LM_IDS][real], strict=True))
        heading.append(f", {len(targets)} predictions")
    text = rich.text.Text()
    for place in range(pieces):
        style = _SECOND if SEGMENT_IDS in features and features[SEGMENT_IDS][place] else ""
        piece = vocabulary[features[INPUT_IDS][place]]
        if place in targets:
            target = vocabulary[targets[place]]
            text.append(
                f"{piece}→",
                _HIDDEN if piece == tokenizer.SPECIAL_TOKENS.mask else _KEPT if piece == target else _RANDOM,
            )
            text.append(target, _TARGET)
        else:
            text.append(piece, style)
        text.append(" ")
    return heading, text


def _show_summary(records, mask, console):
    shown = [f"{len(records):,} examples in {len(records.files)} file(s)"]
    rates = records.report.get("rates", {})
    shown += [f"{name.replace('_', ' ')} {share:.2%}" for name, share in rates.items()]
    console.print(", ".join(shown))
    console.print(
        rich.text.Text.assemble(
            ("piece", ""), " first segment  ", ("piece", _SECOND), " second segment  ",
            (f"{mask}→", _HIDDEN), ("target", _TARGET), " hidden  ", ("other→", _RANDOM), ("target", _TARGET),
            " replaced at random  ", ("target→", _KEPT), ("target", _TARGET), " left as it is, to be predicted",
        )
    )  # fmt: skip
