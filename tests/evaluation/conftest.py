"""Fixtures of the runs whose models are evaluated."""

from tests.training.recipes.conftest import init, run, toy, toys  # noqa: F401
