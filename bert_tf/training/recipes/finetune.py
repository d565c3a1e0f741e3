"""Fine-tuning from a config: reads and checks the examples, trains, keeps and describes the best model."""

import dataclasses
import json
import pathlib
import re
import shutil
import statistics
import time
from typing import Any

import keras
import tensorflow as tf

from bert_tf.core import files
from bert_tf.core.errors import ConfigError
from bert_tf.evaluation.results import RESULTS
from bert_tf.training import precision, resolved_config, run_folder
from bert_tf.training.compile_model import compile_model
from bert_tf.training.config import TrainingConfig
from bert_tf.training.distribution import strategies
from bert_tf.training.distribution.batches import rows_per_replica
from bert_tf.training.model_card import write_card, write_curves
from bert_tf.training.optimizers.layerwise import GradualUnfreezing
from bert_tf.training.recipes.distill import DistillJob
from bert_tf.training.recipes.finetune_config import FinetuneConfig
from bert_tf.training.recipes.finetune_jobs import MultiTaskJob, TaskJob
from bert_tf.training.recipes.gradient_rules import gradient_rule, spent_privacy
from bert_tf.training.trainer import CHECKPOINTS, Trainer


def finetune(config: FinetuneConfig) -> dict:
    """Trains a task model by a config, or resumes such a run; a finished run is left as it is.

    Writes to `config.output`: settings.json, metrics.jsonl, logs/ for TensorBoard, curves.png, metrics.json, and
    model/, the model with the best score on the held-out examples; with several tasks, one model per task in model/.
    With several seeds each run has these in a subfolder, and metrics.json in `config.output` has the means.

    Returns:
        The content of metrics.json.

    Raises:
        ConfigError: the config is impossible.
        InputError: a file cannot be used.
    """
    config.check()
    strategies.check_cluster()
    strategy = strategies.make_strategy(config.training.strategy)
    rows_per_replica(strategy, config.batch_size, config.training.accumulation_steps)
    if config.seeds == 1:
        return _run_alone(config, strategy)
    folder = pathlib.Path(config.output)
    if run_folder.read_settings(folder, known=(r"seed-\d+", re.escape(RESULTS))):
        raise ConfigError(f"{folder} holds a single run. Set output to another folder, or seeds=1 to resume it.")
    runs = []
    for number in range(config.seeds):
        training = dataclasses.replace(config.training, seed=config.training.seed + number)
        output = f"{config.output}/seed-{training.seed}"
        runs.append(dataclasses.replace(config, output=output, training=training, seeds=1))
    with run_folder.locked(folder, strategies.is_chief()):
        results = []
        for run in runs:
            results.append(_run_alone(run, strategy))
            # Frees the model, and restarts Keras's numbering of layer names, so that each run is like one alone.
            keras.utils.clear_session()
        summary = summarize(results)
        if strategies.is_chief():
            files.write_text(folder / RESULTS, json.dumps(summary, indent=2) + "\n")
    return summary


def make_job(config: FinetuneConfig) -> TaskJob | MultiTaskJob:
    """Makes the job of a config and reads its examples; the model is made by `make_model`."""
    if config.tasks:
        return MultiTaskJob(config)
    return DistillJob(config) if config.teacher.model else TaskJob(config)


def _run_alone(config: FinetuneConfig, strategy: tf.distribute.Strategy) -> dict:
    """`_run`, in a folder that no other process works in."""
    run_folder.read_settings(config.output)  # refuses a folder of something else, and makes none
    with run_folder.locked(config.output, strategies.is_chief()):
        return _run(config, strategy)


def summarize(results: list[dict]) -> dict:
    """Means and sample standard deviations over runs, from the content of their metrics.json."""
    scores, deviations = {}, {}
    for name in results[0]["scores"]:
        values = [result["scores"][name] for result in results]
        scores[name] = statistics.fmean(values)
        deviations[name] = statistics.stdev(values)
    same = {name: results[0][name] for name in ("task", "metric", "rows", "heldout_rows", "steps")}
    return same | {
        "seeds": [result["seed"] for result in results],
        "scores": scores,
        "deviations": deviations,
        "seconds": statistics.fmean(result["seconds"] for result in results),
    }


def _run(config: FinetuneConfig, strategy: tf.distribute.Strategy) -> dict:
    folder = pathlib.Path(config.output)
    job = make_job(config)
    # The model needs the precision, the number of steps needs the prepared data, and the data needs the model.
    training: Any = _with_precision(config.training, folder, strategy)
    keras.utils.set_random_seed(training.seed)
    with strategy.scope():
        model = job.make_model(training)
    job.prepare()
    epoch = job.steps_per_epoch
    training = _with_steps(training, config, epoch)
    config = dataclasses.replace(job.config, training=training)
    training = resolved_config.resolve(config, folder, strategy)
    if (folder / RESULTS).exists():
        if strategies.is_chief():
            shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)  # of a run that was killed at its very end
        return files.read_json(folder / RESULTS)
    privacy = spent_privacy(config, training.steps, len(job.train_examples), strategy.num_replicas_in_sync)
    with strategy.scope():
        compile_model(model, training)
    model.gradient_rule = gradient_rule(config, training, model, privacy, job.train_examples)
    trainer = Trainer(model, job, job, training, folder)
    if config.gradual_unfreezing:
        trainer.callbacks.append(UnfreezeByEpoch(trainer, epoch))
    if isinstance(job, DistillJob):
        job.teach(folder / CHECKPOINTS, strategy)
    started = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - started
    best = trainer.restore_best()
    if strategies.is_chief():
        job.warn_of_constant(best)
    counts = {"rows": 0, "heldout_rows": 0, "skipped_rows": 0}
    notes = []
    for part in job.parts.values():
        notes += part.model.postprocessor.describe_metrics()
        counts["rows"] += len(part.learned)
        counts["heldout_rows"] += len(part.heldout)
        counts["skipped_rows"] += part.skipped
    results = {
        "task": ", ".join(job.parts),
        "metric": model.SCORE,
        "scores": {name: value for name, value in best.items() if name != "step"},
        "best_step": best["step"],
        "steps": trainer.step,
        **counts,
        "seconds": round(seconds, 1),
        "seed": training.seed,
    }
    if notes:
        results["notes"] = notes
    if privacy:
        results["privacy"] = dataclasses.asdict(privacy)
    if strategies.is_chief():
        facts = _facts(job, training, results)
        if privacy:
            facts |= {"privacy": privacy, "seed": None}  # whoever knows the seed can take the noise off
        _finish(folder, job, facts, results)
    return results


def _with_precision(training: TrainingConfig, folder: pathlib.Path, strategy: tf.distribute.Strategy) -> TrainingConfig:
    """The settings with "auto" replaced by the precision of the interrupted run, or by the faster one."""
    if training.precision != "auto":
        return training
    stored = run_folder.read_settings(folder).get(run_folder.RESOLVED, {}).get("precision")
    return dataclasses.replace(training, precision=stored or precision.faster(strategy))


def _with_steps(training: TrainingConfig, config: FinetuneConfig, epoch: int) -> TrainingConfig:
    """The settings with epochs converted to steps; `epoch` is the number of steps in one."""
    steps = max(1, int(epoch * config.epochs))
    return dataclasses.replace(training, steps=steps, evaluate_every=max(1, epoch // config.evaluations))


def _finish(folder: pathlib.Path, job: TaskJob | MultiTaskJob, facts: dict, results: dict) -> None:
    """Writes the models and results of a finished run, and removes its checkpoints."""
    write_curves(folder, job.title, job.model.SCORE)
    for path in job.save(folder / "model"):
        write_card(path, f"BERT for {job.title}", facts, results["scores"])
    # Written last: metrics.json marks a run as finished.
    files.write_text(folder / RESULTS, json.dumps(results, indent=2) + "\n")
    shutil.rmtree(folder / CHECKPOINTS)


def _facts(job: TaskJob | MultiTaskJob, training: TrainingConfig, results: dict) -> dict:
    """The table of the model card: the model, its data and how it was trained."""
    config, encoder = job.config, job.model.encoder
    labels, trained_on, heldout, lengths = [], [], [], []
    for part in job.parts.values():
        data = part.config.data
        source = data.heldout or f"{data.heldout_share:.0%} of it"
        labels.append(", ".join(getattr(part.model, "labels", ())[:20]))
        trained_on.append(f"{data.train} ({len(part.learned):,} rows, {part.skipped:,} bad ones left out)")
        heldout.append(f"{source} ({len(part.heldout):,} rows)")
        lengths.append(str(part.model.max_length))
    init = config.model.init
    if config.model.fresh:
        init = f"only the vocabulary of {init}; random weights"
    facts = {
        "encoder": f"{encoder.family}, {encoder.config.num_layers} layers, {encoder.config.hidden_size} wide",
        "initialized from": init,
        "labels": "; ".join(filter(None, labels)),
        "trained on": "; ".join(trained_on),
        "held out": "; ".join(heldout),
        "steps": f"{training.steps:,} of {config.batch_size} rows; the best, step {results['best_step']:,}, is kept",
        "optimizer": training.describe_optimizer(),
        "max_length": ", ".join(lengths),
        "computed in": training.precision,
        "seed": training.seed,
    }
    settings: Any = training
    return facts | {
        "teacher": config.teacher.model,
        "adversarial training": settings.fgm_epsilon and f"FGM, epsilon {settings.fgm_epsilon:g}",
        "R-Drop": settings.r_drop_alpha and f"alpha {settings.r_drop_alpha:g}",
    }


class UnfreezeByEpoch(GradualUnfreezing):
    """Unfreezes layers by the epochs of a `Trainer`, which calls Keras's `fit` with a single long epoch.

    Args:
        trainer: counts the steps.
        steps: of an epoch.
    """

    def __init__(self, trainer: Trainer, steps: int):
        super().__init__()
        self.trainer, self.steps = trainer, steps

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Does nothing, because Keras's epoch is always the first one."""

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Unfreezes the layers of the current epoch at its first step, and where a run resumes."""
        epoch, step = divmod(self.trainer.step, self.steps)
        if batch == 0 or step == 0:
            super().on_epoch_begin(epoch)
