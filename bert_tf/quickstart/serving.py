"""Last stages: export of the classifier, and a comparison of all exported models on the held-out paragraphs."""

import pathlib

import numpy as np
import tensorflow as tf

from bert_tf.export.litert_model import LiteRTModel
from bert_tf.export.litert_task import on_device
from bert_tf.export.saved_model import export_saved_model
from bert_tf.export.tflite import export_tflite
from bert_tf.quickstart.run import Run
from bert_tf.quickstart.stages import read_heldout
from bert_tf.tasks import load

BATCH = 64  # texts per call


def export(run: Run) -> dict:
    """Writes the classifier as a SavedModel and as an int8 TFLite, each checked before it is kept.

    Returns:
        Paths relative to the run folder, and sizes in MiB.
    """
    model = load(run.folder / "classifier")
    heldout = read_heldout(run)
    texts = heldout["texts"]
    version, _ = export_saved_model(model, run.folder / "saved_models/classifier", texts[:BATCH])
    path = run.folder / "tflite/classifier.tflite"
    path.unlink(missing_ok=True)
    # Refused if int8 loses more than 2 points of accuracy.
    export_tflite(
        model, path, [model.max_length], texts[:BATCH], accuracy_data=(texts, heldout["labels"]), max_drop=2.0
    )
    size = sum(file.stat().st_size for file in version.rglob("*") if file.is_file())
    return {
        "saved_model": str(version.relative_to(run.folder)),
        "saved_model_mib": size / 2**20,
        "tflite": str(path.relative_to(run.folder)),
        "tflite_mib": path.stat().st_size / 2**20,
    }


def ask(run: Run, exported: dict) -> dict:
    """Accuracies of Keras, SavedModel and TFLite on the held-out paragraphs, and their differences."""
    heldout = read_heldout(run)
    texts, labels = heldout["texts"], np.array(heldout["labels"])
    model = load(run.folder / "classifier")
    rows, names = [], []
    for answer in model.predict_text(texts):
        rows.append(list(answer["probabilities"].values()))
        names.append(answer["label"])
    keras_probabilities, keras_labels = np.array(rows), np.array(names)
    served = ask_saved_model(run.folder / exported["saved_model"], texts)
    device = on_device(model, LiteRTModel(run.folder / exported["tflite"]))
    phone = np.array([answer["label"] for answer in device.predict_text(texts)])
    return {
        "keras_accuracy": float(np.mean(keras_labels == labels)),
        "saved_model_accuracy": float(np.mean(served["label"] == labels)),
        "saved_model_difference": float(np.abs(served["probabilities"] - keras_probabilities).max()),
        "tflite_accuracy": float(np.mean(phone == labels)),
        "tflite_agreement": float(np.mean(phone == keras_labels)),
        "example": {
            "text": texts[0],
            "truth": heldout["labels"][0],
            "saved_model": served["label"][0],
            "tflite": phone[0],
        },
    }


def ask_saved_model(version: pathlib.Path, texts: list[str]) -> dict[str, np.ndarray]:
    """Answers of a SavedModel with C labels to N texts: {"label": string [N], "probabilities": float32 [N, C]}."""
    serve = tf.saved_model.load(str(version)).signatures["serving_default"]
    labels, probabilities = [], []
    for first in range(0, len(texts), BATCH):
        answers = serve(text=tf.constant(texts[first : first + BATCH]))
        labels += [label.decode() for label in answers["label"].numpy()]
        probabilities.append(answers["probabilities"].numpy())
    return {"label": np.array(labels), "probabilities": np.concatenate(probabilities)}
