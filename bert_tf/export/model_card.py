"""The model card of an exported SavedModel: facts, signatures, and a request to try."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from bert_tf.export.signatures import SERVING_DEFAULT
from bert_tf.tasks.base.task import Task

_MAX_LABELS = 20  # listed


def write_card(folder: pathlib.Path, name: str, model: Task, functions: Mapping[str, Any], difference: float) -> None:
    """Writes README.md into `folder`.

    Args:
        name: of the model on a server.
        functions: {signature: loaded function}.
        difference: largest absolute difference of a number in its answers to Keras.
    """
    facts = "- " + "\n- ".join(_facts(model, difference))
    sections = [f"# {name}", facts, "## Signatures"]
    for signature, function in sorted(functions.items()):
        sections.append(_table(signature, function))
    sections += ["## Example request", _request(name, functions[SERVING_DEFAULT])]
    (folder / "README.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _facts(model: Task, difference: float) -> list[str]:
    config, tokenizer = model.config, model.tokenizer
    facts = [f"Task: {model.TASK}"]
    if labels := getattr(model, "labels", ()):
        listed = ", ".join(labels[:_MAX_LABELS])
        if len(labels) > _MAX_LABELS:
            listed += " and more"
        facts.append(f"Labels: {listed} (assets/labels.txt)")
    size = f"{config.num_layers} layers, hidden size {config.hidden_size}, {model.count_params():,} weights"
    casing = "uncased" if tokenizer.config.lower_case else "cased"
    return [
        *facts,
        f"Encoder: {model.family}, {size} in {model.variable_dtype}",
        f"Tokenizer: {tokenizer.vocab_size:,} tokens, {casing}, at most {model.max_length} tokens per sequence",
        f"Verified: answers within {difference:.1e} of Keras",
    ]


def _table(signature: str, function: Any) -> str:
    lines = [f"`{signature}`", "", "| | name | type | shape |", "|---|---|---|---|"]
    for kind, tensors in (("in", function.structured_input_signature[1]), ("out", function.structured_outputs)):
        for name, tensor in sorted(tensors.items()):
            lines.append(f"| {kind} | `{name}` | {tensor.dtype.name} | {[*tensor.shape]} |")
    return "\n".join(lines).replace("None", "any")


def _request(name: str, function: Any) -> str:
    specs = function.structured_input_signature[1]
    texts: dict[str, Any] = {}
    for key in sorted(specs):
        takes_lists = specs[key].shape.rank > 1
        texts[key] = ["...", "..."] if takes_lists else "..."
    instance: Any = texts
    if len(texts) == 1:  # a single input needs no name
        instance = next(iter(texts.values()))
    return f"    curl -d '{json.dumps({'instances': [instance]})}' localhost:8501/v1/models/{name}:predict"
