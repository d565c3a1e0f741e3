"""Fixtures shared by all tests, and the lanes: `slow` is left out of make test-fast, `soak` of make test too."""

import fcntl
import gc
import os
import pathlib
import shutil
import sys

import pytest

gc.disable()  # until everything is imported
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# On a GPU products of float32 are rounded to TF32 by default, which the tolerances of the tests leave no room for.
os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
os.environ.setdefault("JAX_DEFAULT_MATMUL_PRECISION", "highest")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # the test processes share the GPU
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

TESTS = pathlib.Path(__file__).parent
# Folders and files of which most tests train, export, convert, serve or start processes. All others are unit tests.
SLOW = (
    *("cli/convert_test.py", "cli/export_test.py", "cli/finetune_test.py", "cli/serve_test.py"),
    *("data/pipeline/garden_test.py", "data/pipeline/pretraining_dataset_test.py", "data/pretraining/beam_test.py"),
    *("data/pretraining/make_records_test.py", "data/provenance_test.py", "evaluation/evaluate_test.py", "export"),
    *(
        "keras_habits",
        "modeling/families/golden_test.py",
        "modeling/pretrained_test.py",
        "quickstart/quickstart_test.py",
        "serving",
    ),
    *(
        "tasks/contract_test.py",
        "tasks/generation/export_test.py",
        "tasks/multi_task_test.py",
        "docs",
        "examples",
        "tools",
        "training/distribution",
        "training/recipes",
    ),
    *("training/optimizers/layerwise_test.py", "version_0_1_test.py", "weights/keras_hub_families_test.py"),
    *("weights/peers_test.py", "wheel_test.py"),
)
# Parts of the names of tests that are slow for themselves: they train, or try hundreds of inputs.
SLOW_NAMES = ("learns", "any_text_gives", "any_value_of_any_setting", "imports_no_tensorflow")
SHARED = pathlib.Path(__file__).parent.parent.parent / "shared"


def pytest_collection_modifyitems(items):
    for item in items:
        places = {item.path, *item.path.parents}
        if any(TESTS / name in places for name in SLOW) or any(part in item.name for part in SLOW_NAMES):
            item.add_marker("slow")
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)  # small files fill what big ones leave idle


def pytest_collection_finish(session):
    """Keeps the garbage collector off what was imported: Keras collects by itself, half a second each time."""
    gc.collect()
    gc.freeze()
    gc.enable()
    if "tensorflow" in sys.modules:
        leave_out_stacks()


def leave_out_stacks():
    """Gives all operations of graphs one Python stack, shown in TensorFlow's errors.

    TensorFlow reads the stack for each of them, with all frames of pytest: an eighth of the time of tests with graphs.
    """
    from tensorflow.python.util import tf_stack

    stack = tf_stack.extract_stack()
    tf_stack.extract_stack = lambda stacklevel=1: stack


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """A function `(name, make)` to a folder that `make(folder)` writes in the first test process that asks for it."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made_once"
    root.mkdir(exist_ok=True)

    def folder_of(name, make):
        folder, finished = root / name, root / f"{name}.finished"
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not finished.exists():
                shutil.rmtree(folder, ignore_errors=True)
                make(folder)
                finished.touch()
        return folder

    return folder_of


@pytest.fixture
def eagerly():
    """Functions run operation by operation, for tests of what is computed from few rows: tracing takes far longer."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def shared():
    """The folder of reference numbers and data sets beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the reference data in {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def golden(shared):
    return shared / "golden"
