"""The golden folders of the encoder families, opened as users open them, for parity.py and family_table.py."""

import dataclasses
import pathlib

import keras
import numpy as np

import bert_tf
from bert_tf.core.features import (
    INPUT_IDS,
    INPUT_MASK,
    MASKED_LM_LOGITS,
    MASKED_LM_POSITIONS,
    NEXT_SENTENCE_LOGITS,
    SEGMENT_IDS,
)
from bert_tf.tasks import TASKS
from bert_tf.weights import read_model

GOLDEN = pathlib.Path(__file__).parents[2] / "shared/golden/families"
REST = ("bert2bert",)  # not of an encoder


def folders(golden=GOLDEN):
    """The folders of encoders, with or without a head, each with config.json, weights and expected.npz."""
    return [folder for folder in sorted(golden.iterdir()) if folder.name not in REST]


def expected_in(folder):
    """The inputs and outputs of the reference, {name: array}."""
    return dict(np.load(folder / "expected.npz"))


def inputs_of(expected):
    """The encoder's inputs, int32 [B, S]."""
    ids, mask = expected["input_ids"], expected["attention_mask"]
    segments = expected.get("token_type_ids", np.zeros_like(ids))
    inputs = {INPUT_IDS: ids, INPUT_MASK: mask, SEGMENT_IDS: segments}
    return {name: value.astype("int32") for name, value in inputs.items()}


def task_model(checkpoint):
    """The model of a checkpoint's task; a folder without a vocabulary gets one of made-up tokens."""
    size = checkpoint.encoder.vocab_size
    vocabulary = checkpoint.vocabulary or ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *map(str, range(size - 5))]
    checkpoint = dataclasses.replace(checkpoint, vocabulary=vocabulary)
    return TASKS[checkpoint.task["name"]].load("model").from_checkpoint(checkpoint, "the checkpoint")


def outputs_of(folder, expected):
    """The outputs of the model in `folder` for the reference's inputs, under the reference's names."""
    checkpoint, inputs = read_model(folder), inputs_of(expected)
    encoder = bert_tf.Encoder.from_pretrained(folder)
    sequence = encoder(inputs)["sequence_output"]
    outputs = {"last_hidden_state": sequence}
    if checkpoint.task.get("name") in TASKS:
        logits = task_model(checkpoint)(inputs)
        outputs |= logits if isinstance(logits, dict) else {"logits": logits}
    weights = checkpoint.weights
    if "masked_lm/bias" in weights:
        ids = inputs[INPUT_IDS]
        positions = np.broadcast_to(np.arange(ids.shape[1], dtype="int32"), ids.shape)
        found = bert_tf.BertPretrainer.from_pretrained(folder)(inputs | {MASKED_LM_POSITIONS: positions})
        outputs |= dict.fromkeys(("logits", "prediction_logits"), found[MASKED_LM_LOGITS])
        outputs |= dict.fromkeys(("sop_logits", "seq_relationship_logits"), found[NEXT_SENTENCE_LOGITS])
    if "replaced_token/output/kernel" in weights:
        hidden = np.asarray(sequence) @ weights["replaced_token/transform/kernel"]
        hidden = np.asarray(keras.activations.gelu(hidden + weights["replaced_token/transform/bias"]))
        logits = hidden @ weights["replaced_token/output/kernel"] + weights["replaced_token/output/bias"]
        outputs["logits"] = logits[..., 0]
    return {name: np.asarray(outputs[name]) for name in expected if name in outputs}


def differences(actual, expected):
    """{name: largest difference}; of outputs for each token only real tokens count."""
    real = expected["attention_mask"] == 1
    found = {}
    for name, array in actual.items():
        difference = np.abs(array - expected[name])
        found[name] = float((difference[real] if array.shape[:2] == real.shape else difference).max())
    return found
