"""TensorFlow is imported without a line on standard error; what it says when it fails is kept."""

import os
import subprocess
import sys

import pytest

TENSORFLOW = """
import gc, os
assert gc.isenabled() == (os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0")
os.write(2, b"I0000 00:00:1 cudart_stub.cc:31] Could not find cuda drivers\\n")
{}
"""
SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
import bert_tf, gc, os
import tensorflow, importlib.resources
assert gc.isenabled()
assert tensorflow.__loader__.get_data and importlib.resources.files("tensorflow")
print("level", os.environ["TF_CPP_MIN_LOG_LEVEL"])
os.write(2, b"later")
"""


@pytest.mark.parametrize(
    ("level", "body", "printed", "code"),
    [
        (None, "", "later", 0),
        ("0", "", "I0000 00:00:1 cudart_stub.cc:31] Could not find cuda drivers\nlater", 0),
        (None, "raise RuntimeError('broken')", "I0000 00:00:1 cudart_stub", 1),
    ],
)
def test_what_an_import_prints(tmp_path, level, body, printed, code):
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow/__init__.py").write_text(TENSORFLOW.format(body))
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    if level:
        environment["TF_CPP_MIN_LOG_LEVEL"] = level
    script = SCRIPT.format(folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stderr.startswith(printed) if code else done.stderr == printed
    assert done.stdout == ("" if code else f"level {level or 3}\n")
