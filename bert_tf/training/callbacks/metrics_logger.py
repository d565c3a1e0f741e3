"""Shows and keeps what a run learns and how fast: a bar, metrics.jsonl, and TensorBoard."""

import contextlib
import json
import math
import time

import keras
import tensorflow as tf
from absl import logging

from bert_tf.core import progress
from bert_tf.core.features import CLS_POSITIONS, INPUT_IDS, INPUT_MASK, MASKED_LM_POSITIONS
from bert_tf.training.distribution.strategies import worker
from bert_tf.training.flops import step_flops
from bert_tf.training.optimizers.layerwise import layerwise_of
from bert_tf.training.plots import HELDOUT
from bert_tf.training.precision import matmul_speed

METRICS = "metrics.jsonl"
_SAMPLE = 20  # batches that the share of real tokens is taken from


class Watch(keras.callbacks.Callback):
    """Logs the means since the last time every `log_every` steps of a `Run`.

    A line of metrics.jsonl is {"step", "loss", accuracies, "learning_rate", "gradient_norm", "tokens_per_second" (real
    ones), "matmul_peak" (share of it)}, or {"step", "heldout_loss", ...}. Lines after the step that a run goes on
    from are dropped.
    """

    def __init__(self, run):
        super().__init__()
        self.run = run
        self.path = run.folder / METRICS
        self.tokens = self.flops = None
        self.figures = {}  # the newest of each, as the progress display shows them

    def __enter__(self):
        self._open = contextlib.ExitStack()
        self.peak = matmul_speed(tf.as_dtype(self.run.model.compute_dtype))
        if worker()[0] == 0:
            self._show = self._open.enter_context(progress.stages())
            self.run.folder.mkdir(parents=True, exist_ok=True)
            lines = read_metrics(self.path) if self.path.exists() else []
            kept = [json.dumps(line) + "\n" for line in lines if line["step"] <= self.run.step]
            self._file = self._open.enter_context(self.path.open("w", encoding="utf-8", buffering=1))
            self._file.writelines(kept)
            self._board = tf.summary.create_file_writer(str(self.run.folder / "logs"))
        return self

    def __exit__(self, *error):
        self._open.close()

    def begin(self, phase):
        """Learns what a step of a phase has to do from its first batches."""
        rows, replicas = self.run.rows(phase), self.run.model.distribute_strategy.num_replicas_in_sync
        real = seen = 0
        for x, *_ in phase.read(rows, start=0, shard=(0, replicas)).take(_SAMPLE):
            parts = [(self.run.model, x)] if INPUT_IDS in x else [(self.run.model.tasks[name], x[name]) for name in x]
            real += sum(int(tf.reduce_sum(part[INPUT_MASK])) for _, part in parts)
            seen += 1
        self.tokens = replicas * real / seen
        self.flops = sum(_flops(*part) for part in parts)
        self.since = None

    def on_train_batch_end(self, batch, logs=None):
        # The first step is traced; it says nothing of the speed.
        self.since = self.since or (time.monotonic(), self.run.step)
        if worker()[0] == 0:
            self._show("training", self.run.step, self.run.steps)
        if self.run.step % self.run.config.log_every == 0 or self.run.step == self.run.steps:
            self.log(logs)

    def log(self, logs):
        """Writes the means of `logs`, unless they are written already."""
        run, (start, step) = self.run, self.since
        if not run.averaged:
            return
        speed = (run.step - step) / (time.monotonic() - start + 1e-9)
        optimizer = run.model.optimizer
        layerwise = layerwise_of(optimizer)
        figures = {short_name(name): float(value) for name, value in logs.items()} | {
            "learning_rate": float(optimizer.learning_rate),
            **({"gradient_norm": float(layerwise.gradient_norm.numpy())} if layerwise else {}),
            "tokens_per_second": speed * self.tokens,
            "matmul_peak": speed * self.flops / self.peak,
        }
        self._write(figures)
        run.reset_metrics()
        self.since = time.monotonic(), run.step

    def log_scores(self, scores):
        """Writes figures on held-out data."""
        self._write({HELDOUT + name: value for name, value in scores.items() if name != "step"})
        self.since = time.monotonic(), self.run.step

    def _write(self, figures):
        if worker()[0]:
            return
        run = self.run
        self._file.write(json.dumps({"step": run.step, "time": round(time.time(), 1)} | figures) + "\n")
        with self._board.as_default(step=run.step):
            for name, value in figures.items():
                tf.summary.scalar(name, value)
        logging.info("step %d of %d: %s", run.step, run.steps, figures)
        self.figures |= figures
        self._show("training", run.step, run.steps, figures=self.figures)


def read_metrics(path):
    """The lines of a metrics.jsonl as dicts; one that a crash cut short is left out."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            lines.append(json.loads(line))
    return lines


def _flops(model, x):
    """What a step needs for a batch of inputs; a row may have several texts."""
    *texts, length = x[INPUT_IDS].shape
    predictions = x[MASKED_LM_POSITIONS].shape[1] if MASKED_LM_POSITIONS in x else 0
    in_part = predictions or getattr(model, "cls_only", False)
    examples = x[CLS_POSITIONS].shape[1] if CLS_POSITIONS in x else 1
    queries = predictions + examples if in_part else None
    return step_flops(model.config, math.prod(texts), length, predictions, queries)


def short_name(name):
    """The name of a metric without the word for the output that it is of."""
    return name.replace("_logits_", "_")
