"""The verb `configs`: lists the configs that come with the package."""

from collections.abc import Sequence
from typing import Any

from bert_tf.core.config import shipped_configs
from bert_tf.core.errors import ConfigError


def configs(flags: Any, overrides: Sequence[str]) -> None:
    """Prints the name of each config with the first comment line of its file."""
    if overrides:
        raise ConfigError(f"Received: {overrides[0]!r}. configs takes no settings.")
    found = shipped_configs()
    width = max(map(len, found))
    for name, path in found.items():
        first = path.read_text(encoding="utf-8").splitlines()[0]
        print(f"{name:<{width}}  {first.lstrip('# ')}")
