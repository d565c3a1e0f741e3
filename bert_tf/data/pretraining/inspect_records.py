"""Shows pretraining examples as readable text."""

import pathlib

import numpy as np
import rich.console
import rich.text

from bert_tf.core.console import output_console
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
from bert_tf.text.tokenizers.base import Tokenizer

_SECOND, _HIDDEN, _RANDOM, _KEPT, _TARGET = "cyan", "bold red", "bold yellow", "bold magenta", "green"


def show(
    path: str | pathlib.Path,
    count: int = 3,
    seed: int | None = None,
    tokenizer: Tokenizer | None = None,
    console: rich.console.Console | None = None,
) -> None:
    """Prints examples of records.

    Args:
        path: as for `Records`.
        count: how many examples.
        seed: of the random choice of examples; None: the first ones.
        tokenizer: a `Tokenizer` for records without a vocabulary of their own.
        console: a `rich.console.Console`.
    """
    console = console or output_console()
    records = Records(path)
    tokenizer = tokenizer or records.tokenizer()
    _show_summary(records, tokenizer.SPECIAL_TOKENS.mask, console)
    sampler = SequentialSampler(BatchPlan(1, seed or 0, shuffle=seed is not None), len(records), None)
    for place in range(min(count, len(records))):
        number = int(sampler.batch(place).examples[0])
        features = {name: value[0] for name, value in records.load([number]).items()}
        if (largest := features[INPUT_IDS].max()) >= tokenizer.vocab_size:
            raise ConfigError(
                f"Example {number} has the id {largest}; the vocabulary ends at {tokenizer.vocab_size - 1}. Name the "
                "vocabulary of these records with --vocab."
            )
        console.print(*describe(features, tokenizer, number), sep="\n")


def describe(
    features: dict[str, np.ndarray], tokenizer: Tokenizer, number: int
) -> tuple[rich.text.Text, rich.text.Text]:
    """A heading and the text of one example, as `rich.text.Text`.

    Args:
        features: `{name: array}` of one example, without the batch axis.
        tokenizer: the `Tokenizer` of the ids.
        number: of the example, for the heading.
    """
    vocabulary, mask = tokenizer.vocabulary, tokenizer.SPECIAL_TOKENS.mask
    tokens = int(features[INPUT_MASK].sum())
    width = len(features[INPUT_MASK])
    heading = rich.text.Text(f"\nexample {number:,}: {tokens} of {width} tokens ({tokens / width:.0%} full)", "bold")
    if NEXT_SENTENCE_LABELS in features:
        random = features[NEXT_SENTENCE_LABELS][0] == IS_RANDOM
        heading.append(", second segment: " + ("random or swapped" if random else "really next"))
    targets = {}
    if MASKED_LM_WEIGHTS in features:
        real = features[MASKED_LM_WEIGHTS] > 0
        targets = dict(zip(features[MASKED_LM_POSITIONS][real], features[MASKED_LM_IDS][real], strict=True))
        heading.append(f", {len(targets)} predictions")
    text = rich.text.Text()
    for place in range(tokens):
        style = _SECOND if SEGMENT_IDS in features and features[SEGMENT_IDS][place] else ""
        token = vocabulary[features[INPUT_IDS][place]]
        if place in targets:
            target = vocabulary[targets[place]]
            style = _HIDDEN if token == mask else _KEPT if token == target else _RANDOM
            text.append(f"{token}→", style)
            text.append(target, _TARGET)
        else:
            text.append(token, style)
        text.append(" ")
    return heading, text


def format_rates(rates: dict[str, float]) -> str:
    """The rates of a report on one line."""
    names = {name: name.replace("pieces", "tokens").replace("_", " ") for name in rates}
    return ", ".join(f"{names[name]} {share:.2%}" for name, share in rates.items())


def _show_summary(records, mask, console):
    shown = [f"{len(records):,} examples in {len(records.files)} file(s)"]
    rates = records.report.get("rates", {})
    console.print(", ".join([*shown, format_rates(rates)] if rates else shown))
    console.print(
        rich.text.Text.assemble(
            ("token", ""), " first segment  ", ("token", _SECOND), " second segment  ",
            (f"{mask}→", _HIDDEN), ("target", _TARGET), " masked  ", ("other→", _RANDOM), ("target", _TARGET),
            " replaced at random  ", ("target→", _KEPT), ("target", _TARGET), " unchanged, to be predicted",
        )
    )  # fmt: skip
