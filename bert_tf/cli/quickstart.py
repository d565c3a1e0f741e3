"""The verb `quickstart`."""

from typing import Any

from bert_tf.core.config import load_toml, override
from bert_tf.quickstart import quickstart as run_quickstart
from bert_tf.quickstart.settings import QuickstartConfig


def quickstart(flags: Any, overrides: list[str]) -> None:
    """Runs the quick start in the folder `flags.output`, or in one under runs/ named after the other flags."""
    default = "runs/quickstart"
    if flags.seed:
        default += f"-{flags.seed}"
    if flags.corpus:
        default += "-own-text"
    config = QuickstartConfig()
    if flags.config:
        config = load_toml(QuickstartConfig, flags.config)
    run_quickstart(flags.output or default, flags.corpus, flags.seed, override(config, overrides))
