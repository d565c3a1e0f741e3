"""The verbs `finetune` and `evaluate`."""

from bert_tf.core.config import load_toml, override
from bert_tf.training.distribution.local_workers import run_workers


def finetune(flags, overrides):
    """Trains, or goes on with, the run of a config; prints its scores."""
    named = {"output": flags.output, "model.init": flags.init, "data.folder": flags.data}
    overrides = [*(f"{name}={value!r}" for name, value in named.items() if value), *overrides]
    if flags.skip_bad_rows:
        overrides.append("data.skip_bad_rows=true")
    if flags.workers:
        run_workers(flags.workers, ["finetune", f"--config={flags.config}", *overrides])
    from bert_tf.training.recipes.finetune import finetune as run
    from bert_tf.training.recipes.finetune_config import FinetuneConfig
    from bert_tf.training.trainer import or_again

    config = override(load_toml(FinetuneConfig, flags.config), overrides)
    results = or_again(run, config)
    deviations = results.get("deviations", {})
    for name, value in results["scores"].items():
        mark = "  <- by which the best was kept" if name == results["metric"] else ""
        spread = f" ± {deviations[name]:.4f}" if name in deviations else ""
        print(f"  {name.replace('_', ' '):<24} {value:.4f}{spread}{mark}")
    where = f"{config.output}/{'' if config.seeds == 1 else 'seed-*/'}model{'/*' if config.tasks else ''}"
    print(f"{where} is the model; curves.png and metrics.json beside it tell how it came about.")


def evaluate(flags, overrides):
    """Prints the scores of a model on a file; with --output, writes a report."""
    from bert_tf.data.readers.examples import files_of
    from bert_tf.evaluation.evaluate import evaluate as run

    if flags.skip_bad_rows:
        overrides = [*overrides, "skip_bad_rows=true"]
    results = run(flags.model, flags.data, override(files_of(flags.model), overrides), flags.output)
    for name, value in results["scores"].items():
        low, high = results["intervals"].get(name, (None, None))
        between = f"  ({low:.4f} to {high:.4f})" if low is not None else ""
        print(f"  {name.replace('_', ' '):<24} {value:.4f}{between}")
    if flags.output:
        print(f"{flags.output}/README.md is the report.")
