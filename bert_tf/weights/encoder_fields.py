"""Encoder settings under other projects' names: one table each, read and written."""

import dataclasses
import json

from bert_tf.core import config
from bert_tf.core.errors import ConfigError, InputError

# google-research/bert and Hugging Face name the sizes alike.
GOOGLE_FIELDS = {
    "vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "intermediate_size": "intermediate_size",
    "max_positions": "max_position_embeddings",
    "type_vocab_size": "type_vocab_size",
    "activation": "hidden_act",
    "hidden_dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "initializer_range": "initializer_range",
}
# Where a project's own settings cannot hold one of ours, their file keeps it under this key.
OWN = "bert_tf"


def load_json(path, kind=dict):
    """The value in the JSON file at `path`, an instance of `kind`; `InputError` says what is wrong with the file."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not JSON: {error}") from None
    if not isinstance(data, kind):
        raise InputError(f"{path} holds a {type(data).__name__} where a {kind.__name__} is expected.")
    return data


def member(data, key, default, path):
    """`data[key]`, which must be of the type of `default`; `default` where it is missing or null."""
    if not isinstance(data, dict):
        raise InputError(f"{path} holds {data!r} where an object with {key!r} is expected.")
    value = data.get(key)
    if value is None:
        return default
    if not isinstance(value, type(default)):
        raise InputError(f"{path}: {key} is {value!r}, which should be a {type(default).__name__}.")
    return value


def save_json(path, data):
    """Writes `data` to `path` as indented JSON."""
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_encoder(fields, activations, data, path, **fixed):
    """The `EncoderConfig` in their `data`, read from `path`.

    `fields` maps our names to theirs, `activations` their activation names to ours where they differ, and `fixed`
    holds what their code computes with and does not write down.
    """
    values = fixed | {ours: data[theirs] for ours, theirs in fields.items() if theirs in data}
    activation = values.get("activation")
    if "activation" in values:
        values["activation"] = next((ours for theirs, ours in activations.items() if theirs == activation), activation)
    own = member(member(data, OWN, {}, path), "encoder", {}, path)
    return parse(config.EncoderConfig, values | own, path)


def write_encoder(fields, activations, encoder, **fixed):
    """Their settings for `encoder`, and one line for each of ours that changes what their code computes.

    A setting that reading them would not bring back is kept under the key `OWN`.
    """
    values = dataclasses.asdict(encoder)
    names = {ours: theirs for theirs, ours in reversed(activations.items())}
    written = values | fixed | {"activation": names.get(encoder.activation, encoder.activation)}
    data = {theirs: written[ours] for ours, theirs in fields.items()}
    again = dataclasses.asdict(read_encoder(fields, activations, data, "", **fixed))
    lost = {name: value for name, value in values.items() if again[name] != value}
    notes = [
        f"Their code computes with {name} {again[name]}, this model with {lost[name]}: outputs differ a little there."
        for name in ("activation", "layer_norm_epsilon")
        if name in lost
    ]
    return (data | {OWN: {"encoder": lost}} if lost else data), notes


def masked_lm_notes(checkpoint, **fixed):
    """One line if the masked LM head computes with other settings in their code than here.

    Their head follows the encoder but for what `fixed` says, under the names that `Checkpoint.task` has.
    """
    encoder = {
        "masked_lm_activation": checkpoint.encoder.activation,
        "masked_lm_epsilon": checkpoint.encoder.layer_norm_epsilon,
    }
    here = encoder | {name: checkpoint.task[name] for name in encoder if name in checkpoint.task}
    if here == encoder | fixed or "masked_lm/bias" not in checkpoint.weights:
        return []
    activation, epsilon = here.values()
    return [f"The masked LM head computes with {activation} and epsilon {epsilon} here, not in their code."]


def read_own(data, path):
    """The `TextConfig` or None, and the task settings, that `write_own` put into their `data`."""
    own = member(data, OWN, {}, path)
    text = parse(config.TextConfig, member(own, "text", {}, path), path) if "text" in own else None
    return text, member(own, "task", {}, path)


def write_own(data, checkpoint):
    """Their `data` with the settings of text and head, for which their files have no place, under the key `OWN`."""
    kept = {"text": dataclasses.asdict(checkpoint.text), "task": checkpoint.task}
    return data | {OWN: data.get(OWN, {}) | kept}


def parse(cls, values, path):
    """`config.from_dict` for a file of someone else's: what is wrong is the file, so it raises `InputError`."""
    try:
        return config.from_dict(cls, values)
    except (ConfigError, TypeError) as error:
        raise InputError(f"{path}: {error}") from None
