"""Fixtures of the parts that the verbs call."""

from tests.data.conftest import corpus, tokenizer  # noqa: F401
from tests.export.conftest import model, texts  # noqa: F401
from tests.serving.conftest import base_path  # noqa: F401
from tests.training.recipes.conftest import init, run, toy, toys  # noqa: F401
