"""The verb `pretrain`."""

from bert_tf.config import load_toml, override
from bert_tf.training.local_workers import run_workers


def pretrain(flags, overrides):
    """Trains, or goes on with, the run of a config; prints its figures."""
    if flags.output:
        overrides = [*overrides, f"output={flags.output!r}"]
    if flags.workers:
        run_workers(flags.workers, ["pretrain", f"--config={flags.config}", *overrides])
    from bert_tf.training.pretrain import pretrain as train
    from bert_tf.training.run import or_again
    from bert_tf.training.settings import PretrainConfig

    config = override(load_toml(PretrainConfig, flags.config), overrides)
    scores = or_again(train, config)
    for name, value in scores.items():
        print(f"  {name.replace('_', ' '):<24} {value:.4g}")
    print(f"{config.output}/model is the model; curves.png and metrics.jsonl beside it tell how it came about.")
