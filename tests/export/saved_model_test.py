"""The SavedModel in a process of its own, from a folder that was moved."""

import json
import shutil
import subprocess
import sys

import pytest

from bert_tf.errors import InputError
from bert_tf.export import saved_model

ASK = """
import json, sys
import tensorflow as tf, tensorflow_text
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
answers = serve(text=tf.constant(json.loads(sys.argv[2])))
print(json.dumps([answers["label"].numpy().astype(str).tolist(), answers["probabilities"].numpy().tolist()]))
"""


def test_answers_strings_in_a_new_process_after_a_move(model, texts, tmp_path):
    version, difference = saved_model.export_saved_model(model, tmp_path / "name", texts)
    assert version == tmp_path / "name/1"
    assert difference < 1e-6
    moved = shutil.move(version, tmp_path / "elsewhere")
    done = subprocess.run([sys.executable, "-c", ASK, moved, json.dumps(texts)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    labels, probabilities = json.loads(done.stdout.splitlines()[-1])
    expected = model.predict_text(texts)
    assert labels == [answer["label"] for answer in expected]
    for found, answer in zip(probabilities, expected, strict=True):
        assert found == pytest.approx(list(answer["probabilities"].values()), abs=1e-5)


def test_versions_count_on(model, texts, tmp_path):
    (tmp_path / "7").mkdir()
    assert saved_model.export_saved_model(model, tmp_path, texts)[0].name == "8"


def test_a_wrong_artifact_is_not_kept(model, texts, tmp_path):
    with pytest.raises(InputError, match="differs from Keras"):
        saved_model.export_saved_model(model, tmp_path / "name", texts, tolerance=-1.0)
    assert not list((tmp_path / "name").iterdir())
