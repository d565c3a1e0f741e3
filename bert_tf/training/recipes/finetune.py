"""Fine-tuning from a config: rows read and checked, the model trained, the best of it kept and described."""

import dataclasses
import functools
import json
import pathlib
import shutil
import statistics
import time

import keras

from bert_tf.core import files
from bert_tf.evaluation.results import RESULTS
from bert_tf.training import precision, resolved_config
from bert_tf.training.checkpoint_manager import named_variables
from bert_tf.training.compile_model import compile_model
from bert_tf.training.distribution import strategies
from bert_tf.training.distribution.phases import Phase, rows_a_replica
from bert_tf.training.model_card import write_card, write_curves
from bert_tf.training.optimizers.layerwise import GradualUnfreezing
from bert_tf.training.recipes.finetune_jobs import make_learner
from bert_tf.training.trainer import train


def finetune(config):
    """Trains a task model as a `FinetuneConfig` says, or goes on with such a run; a finished one is left as it is.

    Leaves in `config.output`: settings.json, metrics.jsonl, logs/ for TensorBoard, curves.png, metrics.json, and
    model/, the model where its score on the held-out rows was best; of several tasks each has a model in there. With
    several seeds each run has these in a subfolder, and metrics.json beside them has the means.

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
    learner = make_learner(config)
    config = learner.config
    training = _with_precision(config.training, folder, strategy)
    keras.utils.set_random_seed(training.seed)
    with strategy.scope():
        model = learner.make_model(training)
    learner.check()
    epoch = learner.steps(config.batch_size)
    training = dataclasses.replace(
        training, steps=max(1, int(epoch * config.epochs)), evaluate_every=max(1, epoch // config.evaluations)
    )
    training = resolved_config.settle(dataclasses.replace(config, training=training), folder, strategy, None)
    if (folder / RESULTS).exists():
        return json.loads((folder / RESULTS).read_text(encoding="utf-8"))
    with strategy.scope():
        compile_model(model, training)
    read = functools.partial(learner.read, seed=training.seed)
    phase = Phase(training.steps, config.batch_size, read, learner.score)
    callbacks = [lambda run: Unfreeze(run, epoch)] if config.gradual_unfreezing else []
    started = time.monotonic()
    run = train(model, [phase], training, folder, lambda scores: scores[model.SCORE], callbacks)
    seconds = time.monotonic() - started
    best = _to_best(run, strategy)
    parts = learner.parts.values()
    results = {
        "task": ", ".join(learner.parts),
        "metric": model.SCORE,
        "scores": {name: value for name, value in best.items() if name != "step"},
        "best_step": best["step"],
        "steps": run.step,
        "rows": sum(len(part.learned) for part in parts),
        "heldout_rows": sum(len(part.heldout) for part in parts),
        "skipped_rows": sum(part.skipped for part in parts),
        "seconds": round(seconds, 1),
        "seed": training.seed,
    }
    if strategies.is_chief():
        _leave(folder, learner, training, results)
    return results


def _with_precision(training, folder, strategy):
    """The settings with a precision that is no longer "auto": that of the run that goes on, or the faster one."""
    found = resolved_config.read(folder).get("settled", {}).get("precision")
    chosen = found if training.precision == "auto" else training.precision
    return dataclasses.replace(training, precision=chosen or precision.faster(strategy))


def _to_best(run, strategy):
    """Gives the model its weights of the best evaluation; returns the figures of it."""
    strategies.agree(strategy, 0.0)  # the chief has written all snapshots when all workers are here
    step = run.snapshots.best()
    run.snapshots.restore(step, named_variables(run.model))
    return run.snapshots.about(step)["scores"]


def _leave(folder, learner, training, results):
    """Writes what a finished run is kept for, and removes what it could have been gone on with."""
    write_curves(folder, learner.title, learner.model.SCORE)
    for path in learner.save(folder / "model"):
        write_card(path, f"BERT for {learner.title}", _facts(learner, training, results), results["scores"])
    files.write_text(folder / RESULTS, json.dumps(results, indent=2) + "\n")
    shutil.rmtree(folder / "checkpoints")


def _facts(learner, training, results):
    """What a reader of the model's card wants to know of how it came about."""
    config, encoder, parts = learner.config, learner.model.encoder, learner.parts.values()
    return {
        "encoder": f"{encoder.family}, {encoder.config.num_layers} layers, {encoder.config.hidden_size} wide",
        "begun from": f"the vocabulary of {config.model.init} alone" if config.model.fresh else config.model.init,
        "labels": "; ".join(filter(None, (", ".join(getattr(part.model, "labels", ())[:20]) for part in parts))),
        "trained on": "; ".join(
            f"{part.config.data.train} ({len(part.learned):,} rows, {part.skipped:,} bad ones left out)"
            for part in parts
        ),
        "held out": "; ".join(
            f"{part.config.data.heldout or f'{part.config.data.heldout_share:.0%} of it'} ({len(part.heldout):,} rows)"
            for part in parts
        ),
        "steps": f"{training.steps:,} of {config.batch_size} rows; kept is step {results['best_step']:,}",
        "optimizer": f"{training.optimizer}, {training.learning_rate:g}, {training.schedule}",
        "pieces a row": ", ".join(str(part.model.max_length) for part in parts),
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
