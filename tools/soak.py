"""Kills a training run with SIGKILL at random moments, resumes it, and compares the weights bit by bit.

    python tools/soak.py [--kills 20] [--workers 2] [--seed 0] [--folder soak]

One run is not interrupted; the other is killed repeatedly. Checkpoints are written every few steps, so that some kills
interrupt the writing of one. With several workers either all are killed at once, or first one, for which the others
wait until it is back.
"""

import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
from absl import app, flags

from bert_tf.data.pretraining.make_records import RecordsConfig, write_records
from bert_tf.text.tokenizers.vocabulary import SPECIAL_TOKENS
from bert_tf.text.tokenizers.wordpiece import Tokenizer

KILLS = flags.DEFINE_integer("kills", 20, "number of kills")
WORKERS = flags.DEFINE_integer("workers", 0, "number of worker processes; 0: one process without workers")
SEED = flags.DEFINE_integer("seed", 0, "random seed of the moments")
FOLDER = flags.DEFINE_string("folder", "soak", "working folder; it is removed first")

CONFIG = """
[model]
hidden_size = 64
num_layers = 2
num_heads = 2
max_positions = 64

[data]
batch_size = 8

[training]
steps = {steps}
learning_rate = 1e-3
precision = "float32"
log_every = 5
checkpoint_every = 6
"""
STEPS_A_KILL = 30
PATIENCE = 300  # seconds without a new checkpoint


def main(argv):
    del argv
    folder = pathlib.Path(FOLDER.value)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make_records(folder)
    (folder / "config.toml").write_text(CONFIG.format(steps=STEPS_A_KILL * KILLS.value), encoding="utf-8")
    if start(folder, "alone").wait():
        sys.exit(f"The uninterrupted run failed; see {folder}/log.txt.")
    chance = random.Random(SEED.value)
    begin = time.time()
    for kill in range(1, KILLS.value + 1):
        before = steps(folder)
        run = start(folder, "killed")
        wait_for_checkpoint(folder, run, before)
        time.sleep(chance.random() * 0.5)
        victims = kill_some(run, chance)
        print(f"kill {kill}: {victims} after step {max(steps(folder))}, {time.time() - begin:.0f} s", flush=True)
    if start(folder, "killed").wait():
        sys.exit(f"The run failed after the last kill; see {folder}/log.txt.")
    compare(weights(folder / "alone"), weights(folder / "killed"))


def make_records(folder):
    """Writes records of random text."""
    chance = np.random.default_rng(0)
    words = [f"w{n}" for n in range(300)]
    documents = [[" ".join(chance.choice(words, 12)) for _ in range(12)] for _ in range(100)]
    (folder / "text.txt").write_text("\n\n".join(map("\n".join, documents)), encoding="utf-8")
    tokenizer = Tokenizer([*SPECIAL_TOKENS, *words])
    write_records(folder / "text.txt", tokenizer, folder / "records", RecordsConfig(max_length=64, max_predictions=10))


def start(folder, name):
    """Starts or resumes the run `name` in its own process."""
    command = [sys.executable, "-m", "bert_tf", "pretrain", f"--config={folder}/config.toml"]
    command += [f"--output={folder}/{name}", f"data.records={folder}/records"]
    if WORKERS.value:
        command.insert(4, f"--workers={WORKERS.value}")
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=(folder / "log.txt").open("a"))


def steps(folder):
    """The steps of the killed run that have a checkpoint, {0} without any."""
    return {int(path.name[5:]) for path in (folder / "killed/checkpoints").glob("step-*")} or {0}


def wait_for_checkpoint(folder, run, before):
    """Returns when the run has written a newer checkpoint than those `before`; ends the program if it does not."""
    end = time.time() + PATIENCE
    while max(steps(folder)) <= max(before):
        if run.poll() is not None or time.time() > end:
            sys.exit(f"The run wrote no checkpoint after step {max(before)}; see {folder}/log.txt.")
        time.sleep(0.005)


def kill_some(run, chance):
    """Kills the run; with several workers sometimes only one first, which must be restarted, and then all."""
    workers = [int(pid) for pid in children(run.pid)]
    if workers and chance.random() < 0.5:
        victim = chance.choice(workers)
        kill(victim)
        time.sleep(20)  # the others notice within this time
        kill(run.pid, *children(run.pid))
        run.wait()
        return "one worker, then all"
    kill(run.pid, *workers)
    run.wait()
    return "all"


def children(pid):
    """Ids of the child processes."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return list(map(int, found.stdout.split()))


def kill(*pids):
    """Sends SIGKILL to processes; those that have ended are ignored."""
    for pid in pids:
        subprocess.run(["kill", f"-{signal.SIGKILL:d}", str(pid)], check=False)


def weights(folder):
    """{name: array} of the model of a run."""
    arrays = {}
    with h5py.File(folder / "model/model.weights.h5") as file:
        file.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return arrays


def compare(one, other):
    """Prints that all weights are equal, or ends the program with the names of those that differ."""
    different = [name for name in one if not np.array_equal(one[name], other[name])]
    if different or one.keys() != other.keys():
        sys.exit(f"{len(different)} of {len(one)} weights differ: {', '.join(different[:5])}")
    print(f"{KILLS.value} kills: all {len(one)} weights are bitwise equal.")


if __name__ == "__main__":
    app.run(main)
