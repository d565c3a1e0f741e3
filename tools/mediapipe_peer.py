"""The part of mediapipe_check.py that runs in the environment with MediaPipe and without bert_tf.

python tools/mediapipe_peer.py TASK FILE.tflite ANSWERS.json LEAST
"""

import json
import pathlib
import sys

import numpy as np
from mediapipe.tasks.python import BaseOptions, text


def main():
    task, path, answers, least = sys.argv[1:]
    data = json.loads(pathlib.Path(answers).read_text(encoding="utf-8"))
    agreement = {"classification": labels, "embedding": cosines}[task](BaseOptions(model_asset_path=path), data)
    plain = np.array([item.isascii() for item in data["texts"]])
    mean, on_ascii = agreement.mean(), agreement[plain]
    print(f"{path}: {mean:.4f} on all {len(plain)} texts (at least {float(least)}), worst {agreement.min():.4f}")
    print(f"  {on_ascii.mean():.4f} on the {plain.sum()} ASCII texts, worst {on_ascii.min():.4f}")
    sys.exit(int(mean < float(least)))


def labels(base, data):
    """Bool [N]: whether MediaPipe's best category is the expected label."""
    with text.TextClassifier.create_from_options(text.TextClassifierOptions(base_options=base)) as classifier:
        results = [classifier.classify(item).classifications[0].categories for item in data["texts"]]
    found = [max(categories, key=lambda category: category.score).category_name for categories in results]
    return np.array(found) == np.array(data["expected"])


def cosines(base, data):
    """Cosines [N] of MediaPipe's embeddings and ours."""
    with text.TextEmbedder.create_from_options(text.TextEmbedderOptions(base_options=base)) as embedder:
        found = np.array([embedder.embed(item).embeddings[0].embedding for item in data["texts"]])
    expected = np.array(data["expected"])
    return np.sum(found * expected, -1) / np.linalg.norm(found, axis=-1) / np.linalg.norm(expected, axis=-1)


if __name__ == "__main__":
    main()
