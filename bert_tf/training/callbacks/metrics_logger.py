"""Shows and records what a run learns and how fast: a progress bar, metrics.jsonl, and TensorBoard."""

import contextlib
import json
import math
import pathlib
import time
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf
from absl import logging

from bert_tf.core import files, progress
from bert_tf.core.errors import InputError
from bert_tf.core.features import CLS_POSITIONS, INPUT_IDS, INPUT_MASK, MASKED_LM_POSITIONS
from bert_tf.modeling.replaced_token_pretrainer import ReplacedTokenPretrainer
from bert_tf.training.data_source import DataSource
from bert_tf.training.distribution.strategies import is_chief
from bert_tf.training.flops import step_flops
from bert_tf.training.optimizers.layerwise import layerwise_of
from bert_tf.training.plots import HELDOUT
from bert_tf.training.precision import matmul_speed

if TYPE_CHECKING:
    from bert_tf.training.trainer import Trainer

METRICS = "metrics.jsonl"
_SAMPLE = 20  # batches from which the share of real tokens is estimated


class MetricsLogger(keras.callbacks.Callback):
    """Logs the means since the previous log every `log_every` steps of a `Trainer`.

    A line of metrics.jsonl is {"step", "loss", accuracies, "learning_rate", "gradient_norm", "tokens_per_second"
    (without padding), "matmul_peak" (share of the machine's peak speed, if it is below 1)}, or {"step", "heldout_loss",
    ...}. When a run resumes, lines after the step that it resumes from are dropped.
    """

    def __init__(self, trainer: "Trainer"):
        super().__init__()
        self.trainer = trainer
        self.path = trainer.folder / METRICS
        self.tokens = self.flops = 0.0
        self.since: tuple[float, int] | None = None
        self.figures: dict[str, float] = {}  # the newest of each, as the progress display shows them

    def __enter__(self) -> "MetricsLogger":
        self._open = contextlib.ExitStack()
        self.peak = matmul_speed(tf.as_dtype(self.trainer.model.compute_dtype))
        if is_chief():
            self._show = self._open.enter_context(progress.stages())
            self.trainer.folder.mkdir(parents=True, exist_ok=True)
            lines = read_metrics(self.path) if self.path.exists() else []
            kept = [json.dumps(line) + "\n" for line in lines if line["step"] <= self.trainer.step]
            files.write_text(self.path, "".join(kept))
            # Line-buffered, so that other programs see each line at once.
            self._file = self._open.enter_context(self.path.open("a", encoding="utf-8", buffering=1))
            self._board = tf.summary.create_file_writer(str(self.trainer.folder / "logs"))
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def begin(self, source: DataSource) -> None:
        """Estimates the tokens and operations of a step on a source from its first batches."""
        rows, replicas = self.trainer.rows(source), self.trainer.model.distribute_strategy.num_replicas_in_sync
        model = self.trainer.model
        real = seen = 0
        for x, *_ in source.batches(rows, 0, (0, replicas)).take(_SAMPLE):
            parts = [(model, x)]
            if INPUT_IDS not in x:  # several tasks at once: {task name: its inputs}
                parts = [(model.tasks[name], inputs) for name, inputs in x.items()]
            for _, inputs in parts:
                real += int(tf.reduce_sum(inputs[INPUT_MASK]))
            seen += 1
        self.tokens = replicas * real / seen
        # Estimated from the last of these batches, padding included, because it is computed too.
        self.flops = sum(_flops(*part) for part in parts)
        self.since = None

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        # The speed is measured from the end of the first step, because tracing it takes long.
        self.since = self.since or (time.monotonic(), self.trainer.step)
        if is_chief():
            self._show("training", self.trainer.step, self.trainer.steps)
        if self.trainer.step % self.trainer.config.log_every == 0 or self.trainer.step == self.trainer.steps:
            self.log(logs)

    def log(self, logs: dict) -> None:
        """Writes the means of `logs`, unless they are written already."""
        trainer, (start, step) = self.trainer, self.since
        if not trainer.averaged:  # an evaluation at a multiple of `log_every`
            return
        speed = (trainer.step - step) / (time.monotonic() - start + 1e-9)
        figures = {short_name(name): float(value) for name, value in logs.items()}
        figures["learning_rate"] = float(trainer.model.optimizer.learning_rate)
        if layerwise := layerwise_of(trainer.model.optimizer):
            figures["gradient_norm"] = float(layerwise.gradient_norm.numpy())
        figures["tokens_per_second"] = speed * self.tokens
        share = speed * self.flops / self.peak
        if share <= 1:  # else the peak was measured while others computed too
            figures["matmul_peak"] = share
        self._write(figures)
        trainer.reset_metrics()
        self.since = time.monotonic(), trainer.step

    def show_evaluations(self) -> None:
        """Shows in the progress display that the run evaluates: how many evaluations are done, and of how many."""
        if is_chief():
            config = self.trainer.config
            self._show("evaluating", len(self.trainer.history), math.ceil(self.trainer.steps / config.evaluate_every))

    def log_scores(self, scores: dict[str, float]) -> None:
        """Writes metrics on held-out data."""
        self._write({HELDOUT + name: value for name, value in scores.items() if name != "step"})
        self.since = time.monotonic(), self.trainer.step  # the evaluation's time is not part of the speed

    def _write(self, figures: dict[str, float]) -> None:
        if not is_chief():
            return
        trainer = self.trainer
        self._file.write(json.dumps({"step": trainer.step, "time": round(time.time(), 1)} | figures) + "\n")
        with self._board.as_default(step=trainer.step):
            for name, value in figures.items():
                tf.summary.scalar(name, value)
        logging.info("step %d of %d: %s", trainer.step, trainer.steps, figures)
        self.figures |= figures
        self._show("training", trainer.step, trainer.steps, figures=self.figures)


def read_metrics(path: pathlib.Path) -> list[dict]:
    """The lines of a metrics.jsonl as dicts; a line cut short by a crash, or damaged, is left out."""
    lines = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(InputError):
            figures = files.parse_json(line, str(path))
            if isinstance(figures, dict) and isinstance(figures.get("step"), int):
                lines.append(figures)
    return lines


def _flops(model: Any, x: dict) -> float:
    """Floating-point operations of a step on a batch of inputs.

    `x["input_ids"]` is [B, S], or [B, T, S] where an example has T texts.
    """
    *texts, length = x[INPUT_IDS].shape
    if isinstance(model, ReplacedTokenPretrainer):  # its encoder computes all positions
        return _flops(model.generator, x) + step_flops(model.config, math.prod(texts), length)
    predictions, examples = 0, 1
    if MASKED_LM_POSITIONS in x:
        predictions = x[MASKED_LM_POSITIONS].shape[1]
    if CLS_POSITIONS in x:  # several examples are packed into a row
        examples = x[CLS_POSITIONS].shape[1]
    queries = None
    if predictions or getattr(model, "cls_only", False):
        # The last block computes only the positions that a head reads.
        queries = predictions + examples
    return step_flops(model.config, math.prod(texts), length, predictions, queries)


def short_name(name: str) -> str:
    """The name of a metric without the word "logits" of its output."""
    return name.replace("_logits_", "_")
