"""The verb `finetune`."""

from typing import Any

from bert_tf.cli.flags import file_settings
from bert_tf.core.config import assignment
from bert_tf.training.distribution.local_workers import run_workers
from bert_tf.training.recipes.early_checks import check_finetune
from bert_tf.training.recipes.finetune_config import load_config


def finetune(flags: Any, overrides: list[str]) -> None:
    """Trains by a config, or resumes its run; prints its scores."""
    # Flags are short for overrides; an override of the same key wins because it is applied later.
    given = []
    for name, value in (("output", flags.output), ("model.init", flags.init), ("data.folder", flags.data)):
        if value:
            given.append(assignment(name, value))
    overrides = [*given, *file_settings(flags, "data."), *overrides]
    config = load_config(flags.config, overrides)
    check_finetune(config)  # a mistake is reported before TensorFlow is imported
    if flags.workers:
        run_workers(flags.workers, ["finetune", f"--config={flags.config}", *overrides])
    from bert_tf.training.recipes.finetune import finetune as run
    from bert_tf.training.trainer import restarting_on_lost_worker

    with restarting_on_lost_worker():
        results = run(config)
    deviations = results.get("deviations", {})  # of several seeds
    for name, value in results["scores"].items():
        line = f"  {name.replace('_', ' '):<24} {value:.4f}"
        if name in deviations:
            line += f" ± {deviations[name]:.4f}"
        if name == results["metric"]:
            line += "  (used to select the best checkpoint)"
        print(line)
    for note in results.get("notes", ()):
        print(f"  {note}")
    where = config.output
    if config.seeds > 1:
        where += "/seed-*"
    where += "/model"
    if config.tasks:
        where += "/*"
    print(f"Model saved to {where}. Training curves: curves.png; metrics: metrics.json.")
