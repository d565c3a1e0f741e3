"""The model card of an exported SavedModel: what it answers, how it is asked, what it was checked for."""

import json

from bert_tf.export.signatures import SERVING_DEFAULT


def write_card(folder, name, model, functions, difference):
    """Writes README.md into `folder`.

    Args:
        name: of the model, as a server calls it.
        functions: {signature: loaded function}.
        difference: the largest difference of its answers to Keras's.
    """
    config, text = model.config, model.tokenizer.config
    casing = "uncased" if text.lower_case else "cased"
    facts = [
        f"- Task: {model.TASK}",
        f"- Encoder: {config.encoder}, {config.num_layers} layers, {config.hidden_size} wide, "
        f"{model.count_params():,} weights in {model.variable_dtype}",
        f"- Text: {model.tokenizer.vocab_size:,} word pieces, {casing}, {model.max_length} pieces a row at most",
        f"- Checked: answers within {difference:.1e} of Keras's before it was kept",
    ]
    if labels := getattr(model, "labels", ()):
        facts.insert(
            1, f"- Labels: {', '.join(labels[:20])}{' and more' if len(labels) > 20 else ''} (assets/labels.txt)"
        )
    sections = [f"# {name}", "\n".join(facts), "## Signatures"]
    sections += [_table(signature, function) for signature, function in sorted(functions.items())]
    sections += ["## Ask it", _example(name, functions[SERVING_DEFAULT])]
    (folder / "README.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _table(signature, function):
    lines = [f"`{signature}`", "", "| | name | type | shape |", "|---|---|---|---|"]
    for kind, tensors in (("in", function.structured_input_signature[1]), ("out", function.structured_outputs)):
        for name, tensor in sorted(tensors.items()):
            lines.append(f"| {kind} | `{name}` | {tensor.dtype.name} | {[*tensor.shape]} |")
    return "\n".join(lines).replace("None", "any")


def _example(name, function):
    texts = dict.fromkeys(sorted(function.structured_input_signature[1]), "...")
    instance = texts if len(texts) > 1 else next(iter(texts.values()))
    return f"    curl -d '{json.dumps({'instances': [instance]})}' localhost:8501/v1/models/{name}:predict"
