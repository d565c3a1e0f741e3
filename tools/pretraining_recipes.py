"""Pretrains small encoders of five families on WikiText-2 in the same CPU time, and fine-tunes each on SST-2.

    python tools/pretraining_recipes.py --data FOLDER [--minutes 10] [--seeds 3] [--output runs/recipes] [--page PAGE]

`--data` has wikitext2/train.txt.gz, wikitext2/valid.txt and sst2/. The steps of a recipe are those that fit into
`--minutes` of CPU time, by the difference of two short runs. Finished runs in `--output` are kept: after an
interruption run the command again. The table is written between the marks "recipes" of docs/PERFORMANCE.md.
"""

import argparse
import dataclasses
import json
import pathlib
import statistics

from bench import page
from bench.budget import run, steps_within
from bench.figures import table
from bench.options import PAGE

from bert_tf.core import files

ROOT = pathlib.Path(__file__).parent.parent
SHORT = (20, 80)  # steps of the runs that measure the CPU time of a step
RATE = "training.learning_rate=3e-4"  # of fine-tuning encoders as small as these


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A config of pretraining, and how its vocabulary and records are made."""

    title: str
    config: str
    kind: str
    vocabulary: str
    records: tuple[str, ...]


_DYNAMIC = "static_masking=false"
_FULL = ("--objective=full_sentences", _DYNAMIC)
RECIPES = {
    "bert": Recipe("BERT", "wikitext2", "wordpiece", "vocab.txt", ("--dupe_factor=5",)),
    "roberta": Recipe("RoBERTa", "roberta", "bpe", "tokenizer.json", _FULL),
    "albert": Recipe(
        "ALBERT", "albert", "unigram", "spiece.model", ("--objective=sentence_order", "--masking=ngram", _DYNAMIC)
    ),
    "electra": Recipe("ELECTRA", "electra", "wordpiece", "vocab.txt", _FULL),
    "modernbert": Recipe(
        "ModernBERT",
        "modernbert",
        "bpe",
        "tokenizer.json",
        (*_FULL, "masked_lm_prob=0.3", "max_predictions=39"),
    ),
}


def prepare(recipe, name, options):
    """Makes the vocabulary and the records of a recipe; returns the settings of a run that reads them."""
    corpus = options.data / "wikitext2"
    vocabulary = options.output / recipe.vocabulary
    if not vocabulary.exists():
        run("vocab", "--input", corpus / "train.txt.gz", "--output", vocabulary, "--size=8000", "--kind", recipe.kind)
    settings = []
    for part, file in (("records", "train.txt.gz"), ("heldout", "valid.txt")):
        folder = options.output / name / part
        if not folder.exists():
            run("records", "--input", corpus / file, "--vocab", vocabulary, "--output", folder, *recipe.records)
        settings.append(f"data.{part}={folder}")
    return settings


def steps_of(recipe, name, settings, options):
    """Steps of a recipe in `options.minutes` of CPU time."""

    def train(steps, folder):
        return (*_pretrain(recipe, settings, steps, 0, folder), "data.heldout=none")

    return steps_within(options.minutes, options.output / name, train, SHORT)


def _pretrain(recipe, settings, steps, seed, folder):
    config = ROOT / f"configs/pretrain_small_{recipe.config}.toml"
    more = (f"training.steps={steps}", f"training.seed={seed}", f"training.evaluate_every={steps}")
    return ("pretrain", "--config", config, "--output", folder, *settings, *more)


def scores_of(recipe, name, settings, steps, seed, options):
    """The scores of a pretraining run on held-out text, and the accuracy on SST-2 after fine-tuning."""
    folder = options.output / name / f"{options.minutes:g}-minutes-seed-{seed}"
    finished = folder / "finetune/metrics.json"
    if not finished.exists():
        run(*_pretrain(recipe, settings, steps, seed, folder / "pretrain"))
        tuned = ("--config", ROOT / "configs/sst2.toml", "--data", options.data, "--init", folder / "pretrain/model")
        run("finetune", *tuned, "--output", folder / "finetune", RATE, f"training.seed={seed}")
    lines = (folder / "pretrain/metrics.jsonl").read_text().splitlines()
    heldout = [line for line in map(json.loads, lines) if "heldout_loss" in line][-1]
    return heldout | {"accuracy": json.loads(finished.read_text())["scores"]["accuracy"]}


def describe(found, steps):
    """The table of all recipes: {name: list of scores, one for each seed}."""
    head = ["", "steps", "masked LM loss, held out", "SST-2 accuracy", "seeds"]
    rows = []
    for name, scores in found.items():
        losses = [score["heldout_masked_lm_loss"] for score in scores]
        rows.append(
            [
                RECIPES[name].title,
                f"{steps[name]:,}",
                _mean(losses, "{:.2f}"),
                _mean([100 * score["accuracy"] for score in scores], "{:.1f} %"),
                len(scores),
            ]
        )
    return table(head, rows)


def _mean(values, form):
    deviation = f" ± {form.format(statistics.stdev(values))}" if len(values) > 1 else ""
    return form.format(statistics.fmean(values)) + deviation


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="a folder with wikitext2/ and sst2/")
    parser.add_argument("--minutes", type=float, default=10, help="CPU minutes of a pretraining run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "runs/recipes")
    parser.add_argument("--page", type=pathlib.Path, default=PAGE)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    settings = {name: prepare(recipe, name, options) for name, recipe in RECIPES.items()}
    steps = {name: steps_of(recipe, name, settings[name], options) for name, recipe in RECIPES.items()}
    found = {}
    for seed in range(options.seeds):
        for name, recipe in RECIPES.items():
            scores = scores_of(recipe, name, settings[name], steps[name], seed, options)
            found.setdefault(name, []).append(scores)
            head = f"{page.machine()}; {options.minutes:g} CPU minutes for each pretraining run\n\n"
            text = page.replace(options.page.read_text(encoding="utf-8"), "recipes", head + describe(found, steps))
            files.write_text(options.page, text)


if __name__ == "__main__":
    main()
