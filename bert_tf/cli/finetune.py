"""The verb `finetune`."""

from typing import Any

from bert_tf.training.distribution.local_workers import run_workers
from bert_tf.training.recipes.finetune_config import load_config


def finetune(flags: Any, overrides: list[str]) -> None:
    """Trains by a config, or resumes its run; prints its scores."""
    named = {"output": flags.output, "model.init": flags.init, "data.folder": flags.data}
    overrides = [*(f"{name}={value!r}" for name, value in named.items() if value), *overrides]
    if flags.skip_bad_rows:
        overrides.append("data.skip_bad_rows=true")
    config = load_config(flags.config, overrides)
    config.check()  # a mistake is reported before TensorFlow is imported
    if flags.workers:
        run_workers(flags.workers, ["finetune", f"--config={flags.config}", *overrides])
    from bert_tf.training.recipes.finetune import finetune as run
    from bert_tf.training.trainer import restarting_on_lost_worker

    with restarting_on_lost_worker():
        results = run(config)
    deviations = results.get("deviations", {})
    for name, value in results["scores"].items():
        mark = "  (used to select the best checkpoint)" if name == results["metric"] else ""
        spread = f" ± {deviations[name]:.4f}" if name in deviations else ""
        print(f"  {name.replace('_', ' '):<24} {value:.4f}{spread}{mark}")
    where = f"{config.output}/{'' if config.seeds == 1 else 'seed-*/'}model{'/*' if config.tasks else ''}"
    print(f"Model saved to {where}. Training curves: curves.png; metrics: metrics.json.")
