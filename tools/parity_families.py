"""The part of parity.py that is about the encoder families: transformers' folders and keras-hub's presets."""

import dataclasses
import shutil

import numpy as np
from family_models import differences, expected_in, folders, inputs_of, outputs_of
from parity_peers import report

from bert_tf.modeling.families import FAMILIES
from bert_tf.weights import read_model, write_model

# Classes of keras-hub by our task; a folder with another head has a backbone there.
KERAS_HUB_CLASSES = {"classification": "TextClassifier", "": "MaskedLM"}


def open_and_write(golden, folder):
    """Compares the golden folders with their reference, writes each into `folder`; returns the names that differ."""
    failed = []
    for source in folders(golden):
        expected = expected_in(source)
        failed += [source.name] * (not report(source.name, differences(outputs_of(source, expected), expected)))
        write_model(read_model(source), folder / source.name, "huggingface")
        shutil.copy(source / "expected.npz", folder / source.name)
    return failed


def keras_hub(golden, folder):
    """Opens presets of bert_tf in keras-hub, and what that saves again in bert_tf; returns the names that differ."""
    import keras_hub

    failed = []
    for source in folders(golden):
        checkpoint, expected = read_model(source), expected_in(source)
        format = FAMILIES[checkpoint.family].formats.get("keras_hub")
        if format is None:
            continue
        # As keras-hub's classes compute, so that the numbers can be equal.
        encoder = dataclasses.replace(checkpoint.encoder, **format.fixed)
        task = checkpoint.task or dict(format.masked_lm)
        ours, theirs = folder / source.name / "ours", folder / source.name / "theirs"
        write_model(dataclasses.replace(checkpoint, encoder=encoder, task=task), ours, "keras_hub")
        kind = KERAS_HUB_CLASSES.get(checkpoint.task.get("name", ""))
        if kind not in format.heads:
            kind = "Backbone"
        model = getattr(keras_hub.models, format.class_prefix + kind).from_preset(str(ours))
        found = _outputs(model, kind, expected)
        reference = expected | outputs_of(ours, expected | found)
        failed += [source.name] * (not report(f"{source.name}, {kind}", differences(found, reference)))
        model.save_to_preset(str(theirs))
        again = outputs_of(theirs, expected | found)
        again = {name: again[name] for name in found}
        failed += [source.name] * (not report(f"{source.name}, saved by keras-hub", differences(again, reference)))
    return failed


def _outputs(model, kind, expected):
    """The outputs of a model of keras-hub, under the reference's names."""
    ours = inputs_of(expected)
    inputs = {"token_ids": ours["input_ids"], "padding_mask": ours["input_mask"]}
    if any(tensor.name == "segment_ids" for tensor in model.inputs):
        inputs["segment_ids"] = ours["segment_ids"]
    if kind == "MaskedLM":
        ids = ours["input_ids"]
        inputs["mask_positions"] = np.broadcast_to(np.arange(ids.shape[1], dtype="int32"), ids.shape)
    outputs = model(inputs)
    if isinstance(outputs, dict):
        outputs = outputs["sequence_output"]
    return {"last_hidden_state" if kind == "Backbone" else "logits": np.asarray(outputs)}
