"""The model card of an exported SavedModel: facts, signatures, and a request to try."""

import base64
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from bert_tf.export.comparison import scores_line
from bert_tf.export.signatures import example_request, required_texts
from bert_tf.tasks.base.task import Task

PAGE_CARD = "assets.extra/bert_tf.json"
_MAX_LABELS = 20  # listed
_CONSTANTS = (
    "single texts are answered in less time; TensorFlow in Python takes some twenty times the size of that file as "
    "memory, and seconds for a signature's first answer, which warm-up requests spare users"
)
_IN_PYTHON = """    import tensorflow as tf
    import tensorflow_text  # has the tokenizer's operators: without it, loading fails with "Op type not registered"

    serve = tf.saved_model.load("FOLDER OF THIS CARD").signatures["serving_default"]
    print(serve({arguments}))"""


def write_card(
    folder: pathlib.Path,
    name: str,
    model: Task,
    functions: Mapping[str, Any],
    difference: float,
    int8: bool = False,
    scores: Mapping[str, Any] | None = None,
    constants: bool = False,
) -> None:
    """Writes README.md into `folder`.

    Args:
        name: of the model on a server.
        functions: {signature: loaded function}.
        difference: largest absolute difference of a number in its answers to Keras.
        int8: whether kernels and token tables are int8.
        scores: of `compared_scores`, as "saved_model".
        constants: whether weights are constants of the graph.
    """
    facts = "- " + "\n- ".join(_facts(model, difference, int8, scores))
    if constants:
        size = (folder / tf.saved_model.SAVED_MODEL_FILENAME_PB).stat().st_size / 2**20
        facts += f"\n- Weights are constants of the graph, a file of {size:,.0f} MiB: {_CONSTANTS}"
    sections = [f"# {name}", facts, "## Signatures"]
    for signature, function in sorted(functions.items()):
        sections.append(_table(signature, function))
    sections += ["## Example request", _request(name, model), "## In Python", _in_python(model)]
    (folder / "README.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _facts(model: Task, difference: float, int8: bool, scores: Mapping[str, Any] | None) -> list[str]:
    config, tokenizer = model.config, model.tokenizer
    facts = [f"Task: {model.TASK}. {model.purpose}"]
    if labels := getattr(model, "labels", ()):
        listed = ", ".join(labels[:_MAX_LABELS])
        if len(labels) > _MAX_LABELS:
            listed += " and more"
        facts.append(f"Labels: {listed} (assets/labels.txt; probabilities and logits are in their order)")
    size = f"{config.num_layers} layers, hidden size {config.hidden_size}, {model.count_params():,} weights"
    stored = "int8 with a scale for each column or row, biases and norms in float32" if int8 else model.variable_dtype
    casing = "uncased" if tokenizer.config.lower_case else "cased"
    if scores:
        facts.append(f"Scored: {scores_line(scores, 'saved_model')}")
    return [
        *facts,
        f"Encoder: {model.family}, {size} in {stored}",
        f"Tokenizer: {tokenizer.vocab_size:,} tokens, {casing}, at most {model.max_length} tokens per sequence",
        f"Verified: answers within {difference:.1e} of Keras",
    ]


def _table(signature: str, function: Any) -> str:
    lines = [f"`{signature}`", "", "| | name | type | shape |", "|---|---|---|---|"]
    for kind, tensors in (("in", function.structured_input_signature[1]), ("out", function.structured_outputs)):
        for name, tensor in sorted(tensors.items()):
            lines.append(f"| {kind} | `{name}` | {tensor.dtype.name} | {[*tensor.shape]} |")
    return "\n".join(lines).replace("None", "any")


def write_page_card(folder: pathlib.Path, model: Task) -> None:
    """Writes what the server's page shows of a model: {"summary": one line, "example": {input: text, or texts}}."""
    example = {name: _to_json(value) for name, value in example_request(model).items()}
    content = {"summary": model.purpose, "example": example}
    (folder / PAGE_CARD).write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _request(name: str, model: Task) -> str:
    instance: Any = {name: _to_json(value) for name, value in _example(model).items()}
    if len(instance) == 1:  # a single input needs no name
        (instance,) = instance.values()
    body = json.dumps({"instances": [instance]}, ensure_ascii=False).replace("'", "'\\''")  # within the shell's quotes
    return f"    curl -d '{body}' localhost:8501/v1/models/{name}:predict"


def _to_json(value: Any) -> Any:
    """A text, or texts, as they are; contents of a file as TF Serving takes bytes."""
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _in_python(model: Task) -> str:
    arguments = [f"{key}=tf.constant({[value]!r})" for key, value in _example(model).items()]
    return _IN_PYTHON.replace("{arguments}", ", ".join(arguments))


def _example(model: Task) -> dict[str, Any]:
    """The texts that a request must have."""
    example = example_request(model)
    return {key: example[key] for key in required_texts(model)}
