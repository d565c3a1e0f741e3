"""Opens exported .tflite files with MediaPipe Tasks, in a separate environment, and compares the answers with Keras.

    python tools/mediapipe_check.py MODEL TEXTS [FOLDER]

MODEL is the folder of a classifier or embedder. TEXTS is a file with one text per line, or a TSV with a header and the
text in the last column. In FOLDER (default: runs/mediapipe) it makes a virtual environment with MediaPipe and exports
the model in float32 and int8. The exit code is 1 if MediaPipe gives our label for less than 99.5 % of the texts (int8:
98.5 %), or if the mean cosine of its embeddings and ours is below 0.999 (int8: 0.99). ASCII texts are also reported
separately, because MediaPipe does not strip accents and so tokenizes other texts slightly differently.
"""

import json
import pathlib
import subprocess
import sys
import venv

from bert_tf.export.tflite import export_tflite
from bert_tf.tasks import load

PACKAGE = "mediapipe==1.2.2"
PEER = pathlib.Path(__file__).with_name("mediapipe_peer.py")
LEAST = {("classification", "none"): 0.995, ("classification", "int8"): 0.985}
LEAST |= {("embedding", "none"): 0.999, ("embedding", "int8"): 0.99}


def main():
    model, source, *rest = sys.argv[1:]
    folder = pathlib.Path(rest[0] if rest else "runs/mediapipe")
    python = environment(folder / "venv")
    model, texts = load(model), read_texts(pathlib.Path(source))
    expected = [answer.get("label", answer.get("embedding")) for answer in model.predict_text(texts)]
    answers = folder / "answers.json"
    answers.write_text(json.dumps({"texts": texts, "expected": expected}), encoding="utf-8")
    failed = False
    for quantize in ("none", "int8"):
        path = folder / f"{model.TASK}_{quantize}.tflite"
        path.unlink(missing_ok=True)
        export_tflite(model, path, [model.max_length], texts[:16], quantize)
        command = [python, PEER, model.TASK, path, answers, str(LEAST[model.TASK, quantize])]
        failed |= subprocess.run(command, check=False).returncode != 0
    sys.exit(failed)


def read_texts(path):
    """The texts of a file, one per line; of a .tsv the last column, without the header."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split("\t")[-1] for line in lines[1:]] if path.suffix == ".tsv" else lines


def environment(folder):
    """The Python of a virtual environment with MediaPipe, made if it does not exist."""
    python = folder.absolute() / "bin/python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE], check=True)
    return python


if __name__ == "__main__":
    main()
