"""The verb `pretrain`."""

import os
import sys

from bert_tf.config import load_toml, override
from bert_tf.errors import ConfigError
from bert_tf.training.local_workers import run_workers


def pretrain(flags, overrides):
    """Trains, or goes on with, the run of a config; prints its figures."""
    if flags.output:
        overrides = [*overrides, f"output={flags.output!r}"]
    if flags.workers:
        sys.exit(_on_workers(flags.workers, flags.config, overrides))
    from bert_tf.training.pretrain import pretrain as train
    from bert_tf.training.run import WorkerLost
    from bert_tf.training.settings import PretrainConfig

    config = override(load_toml(PretrainConfig, flags.config), overrides)
    try:
        scores = train(config)
    except WorkerLost as error:
        print(f"{error} Waiting for it to come back.", file=sys.stderr)
        os.execv(sys.executable, sys.orig_argv)
    for name, value in scores.items():
        print(f"  {name.replace('_', ' '):<24} {value:.4g}")
    print(f"{config.output}/model is the model; curves.png and metrics.jsonl beside it tell how it came about.")


def _on_workers(count, config, overrides):
    if count < 1 or "TF_CONFIG" in os.environ:
        raise ConfigError(f"Received: --workers={count}. It starts that many workers here, and goes without TF_CONFIG.")
    return run_workers(count, ["pretrain", f"--config={config}", *overrides])
