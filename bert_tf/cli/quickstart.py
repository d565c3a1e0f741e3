"""The verb `quickstart`."""

from bert_tf.core.config import load_toml, override
from bert_tf.quickstart import quickstart as run_quickstart
from bert_tf.quickstart.settings import QuickstartConfig


def quickstart(flags, overrides):
    """Runs the quick start in the folder that the flags name."""
    default = "runs/quickstart" + (f"-{flags.seed}" if flags.seed else "") + ("-own-text" if flags.corpus else "")
    config = load_toml(QuickstartConfig, flags.config) if flags.config else QuickstartConfig()
    run_quickstart(flags.output or default, flags.corpus, flags.seed, override(config, overrides))
