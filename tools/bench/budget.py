"""Runs of bert-tf for a given CPU time, so that trainings of different models can be compared."""

import json
import resource
import subprocess
import sys

from bert_tf.core import files


def run(*words):
    """Runs a verb in its own process; returns the seconds of CPU time that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "bert_tf", *map(str, words)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def steps_within(minutes, folder, train, short):
    """Steps of a training in `minutes` of CPU time, by the difference of two short runs.

    Args:
        minutes: of the steps alone: without the start and the evaluations.
        folder: of the short runs; the seconds of a step are kept there.
        train: function from a number of steps and a run's folder to the words of its verb.
        short: the steps of the two runs.
    """
    measured = folder / "seconds.json"
    if not measured.exists():
        seconds = [run(*train(steps, folder / f"short-{steps}")) for steps in short]
        files.write_text(measured, json.dumps((seconds[1] - seconds[0]) / (short[1] - short[0])) + "\n")
    return round(60 * minutes / json.loads(measured.read_text()))
