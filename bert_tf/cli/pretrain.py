"""The verb `pretrain`."""

from bert_tf.core.config import load_toml, override
from bert_tf.training.distribution.local_workers import run_workers


def pretrain(flags, overrides):
    """Trains, or goes on with, the run of a config; prints its figures."""
    if flags.output:
        overrides = [*overrides, f"output={flags.output!r}"]
    if flags.workers:
        run_workers(flags.workers, ["pretrain", f"--config={flags.config}", *overrides])
    from bert_tf.training.config import PretrainConfig
    from bert_tf.training.recipes.pretrain import pretrain as train
    from bert_tf.training.trainer import or_again

    config = override(load_toml(PretrainConfig, flags.config), overrides)
    scores = or_again(train, config)
    for name, value in scores.items():
        print(f"  {name.replace('_', ' '):<24} {value:.4g}")
    print(f"{config.output}/model is the model; curves.png and metrics.jsonl beside it tell how it came about.")
