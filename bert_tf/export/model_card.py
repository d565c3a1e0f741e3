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
    facts = "\n".join(f"- {fact}" for fact in _facts(model, difference))
    sections = [f"# {name}", facts, "## Signatures"]
    sections += [_table(signature, function) for signature, function in sorted(functions.items())]
    sections += ["## Example request", _request(name, functions[SERVING_DEFAULT])]
    (folder / "README.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _facts(model: Task, difference: float) -> list[str]:
    config, tokenizer = model.config, model.tokenizer
    facts = [f"Task: {model.TASK}"]
    if labels := getattr(model, "labels", ()):
        more = " and more" if len(labels) > _MAX_LABELS else ""
        facts.append(f"Labels: {', '.join(labels[:_MAX_LABELS])}{more} (assets/labels.txt)")
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
    texts = {key: "..." if specs[key].shape.rank == 1 else ["...", "..."] for key in sorted(specs)}
    instance = texts if len(texts) > 1 else next(iter(texts.values()))
    return f"    curl -d '{json.dumps({'instances': [instance]})}' localhost:8501/v1/models/{name}:predict"
