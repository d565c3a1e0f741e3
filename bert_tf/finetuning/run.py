"""Fine-tuning from a config: rows read and checked, the model trained, the best of it kept and described."""

import dataclasses
import json
import pathlib
import shutil
import statistics
import time

import keras

from bert_tf import files
from bert_tf.finetuning.data import Batches, check_rows, read_rows
from bert_tf.finetuning.model import make_model, with_labels
from bert_tf.tasks.files.examples import OF_MODEL
from bert_tf.training import precision, settled, strategies
from bert_tf.training.compiling import compile_model
from bert_tf.training.layers import GradualUnfreezing
from bert_tf.training.phases import Phase, rows_a_replica
from bert_tf.training.report import write_card, write_curves
from bert_tf.training.run import train
from bert_tf.training.snapshots import named_variables

RESULTS = "metrics.json"


def finetune(config):
    """Trains a task model as a `FinetuneConfig` says, or goes on with such a run; a finished one is left as it is.

    Leaves in `config.output`: settings.json, metrics.jsonl, logs/ for TensorBoard, curves.png, metrics.json, and
    model/, the model where its score on the held-out rows was best. With several seeds each run has these in a
    subfolder, and metrics.json beside them has the means.

    Returns:
        What stands in metrics.json. `ConfigError` where the config cannot be, `InputError` where a file cannot.
    """
    config.check()
    strategies.check_cluster()
    strategy = strategies.make_strategy(config.training.strategy)
    rows_a_replica(strategy, config.batch_size, config.training.accumulation_steps)
    if config.seeds == 1:
        return _run(config, strategy)
    results = []
    for number in range(config.seeds):
        training = dataclasses.replace(config.training, seed=config.training.seed + number)
        output = f"{config.output}/seed-{training.seed}"
        results.append(_run(dataclasses.replace(config, output=output, training=training, seeds=1), strategy))
        keras.utils.clear_session()
    summary = summarize(results)
    if strategies.is_chief():
        files.write_text(pathlib.Path(config.output) / RESULTS, json.dumps(summary, indent=2) + "\n")
    return summary


def summarize(results):
    """Means and standard deviations (of a sample) over runs, from what stands in the metrics.json of each."""
    scores = {name: [result["scores"][name] for result in results] for name in results[0]["scores"]}
    same = {name: results[0][name] for name in ("task", "metric", "rows", "heldout_rows", "steps")}
    return same | {
        "seeds": [result["seed"] for result in results],
        "scores": {name: statistics.fmean(values) for name, values in scores.items()},
        "deviations": {name: statistics.stdev(values) for name, values in scores.items()},
        "seconds": statistics.fmean(result["seconds"] for result in results),
    }


def _run(config, strategy):
    folder = pathlib.Path(config.output)
    rows = read_rows(config)
    config = with_labels(config, rows[0])
    training = _with_precision(config.training, folder, strategy)
    keras.utils.set_random_seed(training.seed)
    with strategy.scope():
        model = make_model(config, training)
    learned, heldout = check_rows(*rows, model, config.data.separator)
    batches = Batches(model, learned, training.seed)
    epoch = batches.steps(config.batch_size)
    training = dataclasses.replace(
        training, steps=max(1, int(epoch * config.epochs)), evaluate_every=max(1, epoch // config.evaluations)
    )
    training = settled.settle(dataclasses.replace(config, training=training), folder, strategy, None)
    if (folder / RESULTS).exists():
        return json.loads((folder / RESULTS).read_text(encoding="utf-8"))
    with strategy.scope():
        compile_model(model, training)
    phase = Phase(
        training.steps, config.batch_size, batches.read, lambda model: model.score(heldout.texts, heldout.targets)
    )
    callbacks = [lambda run: Unfreeze(run, epoch)] if config.gradual_unfreezing else []
    started = time.monotonic()
    run = train(model, [phase], training, folder, lambda scores: scores[model.SCORE], callbacks)
    seconds = time.monotonic() - started
    best = _to_best(run, strategy)
    results = {
        "task": config.task,
        "metric": model.SCORE,
        "scores": {name: value for name, value in best.items() if name != "step"},
        "best_step": best["step"],
        "steps": run.step,
        "rows": len(learned),
        "heldout_rows": len(heldout),
        "skipped_rows": learned.bad.count + (heldout.bad.count if heldout.bad is not learned.bad else 0),
        "seconds": round(seconds, 1),
        "seed": training.seed,
    }
    if strategies.is_chief():
        _leave(folder, config, training, model, results)
    return results


def _with_precision(training, folder, strategy):
    """The settings with a precision that is no longer "auto": that of the run that goes on, or the faster one."""
    found = settled.read(folder).get("settled", {}).get("precision")
    chosen = found if training.precision == "auto" else training.precision
    return dataclasses.replace(training, precision=chosen or precision.faster(strategy))


def _to_best(run, strategy):
    """Gives the model its weights of the best evaluation; returns the figures of it."""
    strategies.agree(strategy, 0.0)  # the chief has written all snapshots when all workers are here
    step = run.snapshots.best()
    run.snapshots.restore(step, named_variables(run.model))
    return run.snapshots.about(step)["scores"]


def _leave(folder, config, training, model, results):
    """Writes what a finished run is kept for, and removes what it could have been gone on with."""
    model.save_pretrained(folder / "model", overwrite=True)
    of_files = dataclasses.asdict(config.data.of_files())
    files.write_text(folder / "model" / OF_MODEL, json.dumps(of_files, indent=2) + "\n")
    write_curves(folder, config.task, model.SCORE)
    write_card(
        folder / "model",
        f"BERT for {config.task.replace('_', ' ')}",
        _facts(config, training, model, results),
        results["scores"],
    )
    files.write_text(folder / RESULTS, json.dumps(results, indent=2) + "\n")
    shutil.rmtree(folder / "checkpoints")


def _facts(config, training, model, results):
    """What a reader of the model's card wants to know of how it came about."""
    encoder = model.config
    heldout = config.data.heldout or f"{config.data.heldout_share:.0%} of it"
    return {
        "encoder": f"{encoder.encoder}, {encoder.num_layers} layers, {encoder.hidden_size} wide",
        "begun from": f"the vocabulary of {config.model.init} alone" if config.model.fresh else config.model.init,
        "labels": ", ".join(getattr(model, "labels", ())[:20]),
        "trained on": f"{config.data.train} ({results['rows']:,} rows, {results['skipped_rows']:,} bad ones left out)",
        "held out": f"{heldout} ({results['heldout_rows']:,} rows)",
        "steps": f"{training.steps:,} of {config.batch_size} rows; kept is step {results['best_step']:,}",
        "optimizer": f"{training.optimizer}, {training.learning_rate:g}, {training.schedule}",
        "pieces a row": model.max_length,
        "computed in": training.precision,
        "seed": training.seed,
    }


class Unfreeze(GradualUnfreezing):
    """Sets layers free by the epochs of a `Run`, which Keras's `fit` does not know of: `steps` make one."""

    def __init__(self, run, steps):
        super().__init__()
        self.run, self.steps = run, steps

    def on_epoch_begin(self, epoch, logs=None):
        """Nothing: a run that goes on is in Keras's first epoch again."""

    def on_train_batch_begin(self, batch, logs=None):
        epoch, step = divmod(self.run.step, self.steps)
        if batch == 0 or step == 0:
            super().on_epoch_begin(epoch)
