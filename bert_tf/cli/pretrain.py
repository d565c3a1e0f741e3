"""The verb `pretrain`."""

from typing import Any

from bert_tf.core.config import assignment, load_toml, override
from bert_tf.training.config import PretrainConfig
from bert_tf.training.distribution.local_workers import run_workers
from bert_tf.training.recipes.early_checks import check_pretrain


def pretrain(flags: Any, overrides: list[str]) -> None:
    """Trains by a config, or resumes its run; prints the metrics on held-out data."""
    if flags.output:
        overrides = [*overrides, assignment("output", flags.output)]
    config = override(load_toml(PretrainConfig, flags.config), overrides)
    check_pretrain(config)  # a mistake is reported before TensorFlow is imported
    if flags.workers:
        run_workers(flags.workers, ["pretrain", f"--config={flags.config}", *overrides])
    from bert_tf.training.recipes.pretrain import pretrain as run
    from bert_tf.training.trainer import restarting_on_lost_worker

    with restarting_on_lost_worker():
        scores = run(config)
    for name, value in scores.items():
        print(f"  {name.replace('_', ' '):<24} {value:.4g}")
    print(f"Model saved to {config.output}/model. Training curves: curves.png; metrics: metrics.jsonl.")
