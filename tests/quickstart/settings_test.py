"""The config file that shows the defaults shows the defaults."""

import pathlib

from bert_tf.core.config import load_toml
from bert_tf.quickstart.settings import QuickstartConfig

CONFIG = pathlib.Path(__file__).parent.parent.parent / "configs/quickstart.toml"


def test_config_file_holds_the_defaults():
    assert load_toml(QuickstartConfig, CONFIG) == QuickstartConfig()
