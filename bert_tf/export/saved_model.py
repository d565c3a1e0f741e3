"""A SavedModel that takes strings and gives decoded answers, all in one graph."""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from bert_tf import files
from bert_tf.errors import InputError


def export_saved_model(model, folder, check_texts, tolerance=1e-4):
    """Writes `folder`/VERSION, the next free version, as TF Serving reads it.

    The signature `serving_default` takes "text", string [B], and returns what the task's `answer` decodes. The
    SavedModel is loaded again and asked `check_texts` before it gets its final name.

    Returns:
        (path of the version, largest difference of its probabilities to Keras's); a difference above `tolerance`
        raises `InputError` and leaves nothing behind.
    """

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def serve(text):
        return model.answer_text(text)

    path = pathlib.Path(folder) / str(_next_version(folder))
    with files.atomic_folder(path) as temporary:
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint("serving_default", serve)
        archive.write_out(str(temporary), verbose=False)
        answers = tf.saved_model.load(str(temporary)).signatures["serving_default"](text=tf.constant(check_texts))
        expected = model.answer_text(tf.constant(check_texts))
        difference = float(np.abs(answers["probabilities"] - expected["probabilities"]).max())
        if not difference <= tolerance:
            raise InputError(f"The SavedModel differs from Keras by {difference:.2g}, over {tolerance:.2g}; not kept.")
    return path, difference


def _next_version(folder):
    numbers = [int(path.name) for path in pathlib.Path(folder).glob("*") if path.name.isdigit()]
    return max(numbers, default=0) + 1
