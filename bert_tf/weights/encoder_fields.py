"""Settings under other projects' names: one table per format, read and written."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bert_tf.core import config, files
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.registry import families
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.formats.base import FamilyFormat

MAX_JSON_BYTES = 64 << 20  # the largest published tokenizer.json has 17 MiB
# Where a project's own settings cannot hold one of ours, their file keeps it under this key.
OWN = "bert_tf"


def load_json(path: Path, kind: type = dict) -> Any:
    """The value in the JSON file at `path`, an instance of `kind`; `InputError` says what is wrong with the file."""
    if not path.exists():
        raise InputError(f"{path} is missing.")
    data = files.read_json(path, MAX_JSON_BYTES)
    if not isinstance(data, kind):
        raise InputError(f"{path} holds a {type(data).__name__} where a {kind.__name__} is expected.")
    return data


def load_optional_json(path: Path) -> dict[str, Any]:
    """The object in the JSON file at `path`, {} without the file; a file that is no object raises `InputError`."""
    if not path.exists():
        return {}
    return load_json(path)


def member(data: Any, key: str, default: Any, path: Path | str) -> Any:
    """`data[key]`, or `default` where it is missing or null; `InputError` for a value of another type than `default`.

    `path` names the file in messages.
    """
    if not isinstance(data, dict):
        raise InputError(f"{path} holds {data!r} where an object with {key!r} is expected.")
    value = data.get(key)
    if value is None:
        return default
    if not isinstance(value, type(default)):
        raise InputError(f"{path}: {key} is {value!r}, which should be a {type(default).__name__}.")
    return value


def pick(data: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    """The settings of `data` that `fields`, {our name: their name}, lists and `data` has, under our names."""
    picked = {}
    for ours, theirs in fields.items():
        if theirs in data:
            picked[ours] = data[theirs]
    return picked


def save_json(path: Path, data: Any) -> None:
    """Writes `data` to `path` as indented JSON."""
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_encoder(family: str, format: FamilyFormat, data: dict, path: Path | str, **fixed: Any) -> Any:
    """The config of an encoder from a project's settings.

    Args:
        family: name of the encoder family.
        format: how the project names its settings.
        data: the settings, read from `path`.
        fixed: more values as in `FamilyFormat.fixed`, known only from the file.

    Raises:
        InputError: a setting is missing or has a wrong value.
    """
    # Settings of the file overrule the fixed ones, and those that we put under `OWN` overrule both.
    values = {**format.fixed, **fixed} | pick(format.from_settings(data), format.fields)
    # Compared one by one: a broken file may hold a value that cannot be looked up in a dict.
    for theirs, ours in format.activations.items():
        if "activation" in values and values["activation"] == theirs:
            values["activation"] = ours
            break
    own = member(member(data, OWN, {}, path), "encoder", {}, path)
    return parse(families()[family].config, values | own, path)


def write_encoder(family: str, format: FamilyFormat, encoder: Any, **fixed: Any) -> tuple[dict, list[str]]:
    """A project's settings for an encoder's config; arguments as for `read_encoder`.

    A setting that reading would not bring back is kept under the key `OWN`.

    Returns:
        The settings, and one line for each of ours that changes the numbers that their code computes.
    """
    values = dataclasses.asdict(encoder)
    written = values | dict(format.fixed) | fixed
    for theirs, ours in format.activations.items():
        if values.get("activation") == ours:
            written["activation"] = theirs
            break
    data = format.to_settings({theirs: written[ours] for ours, theirs in format.fields.items()})
    # Reading back what was written shows what a reader of these settings would not get.
    read_again = dataclasses.asdict(read_encoder(family, format, data, "", **fixed))
    lost = {name: value for name, value in values.items() if read_again[name] != value}
    notes = []
    for name in ("activation", "layer_norm_epsilon"):
        if name in lost:
            notes.append(
                f"Their code computes with {name} {read_again[name]}, this model with {lost[name]}: "
                "outputs differ slightly."
            )
    if lost:
        data[OWN] = {"encoder": lost}
    return data, notes


def masked_lm_notes(checkpoint: Checkpoint, **fixed: Any) -> list[str]:
    """One line if the masked LM head computes with other settings in their code than here.

    Their head has the activation and epsilon of the encoder, except for `fixed`, named as in `Checkpoint.task`.
    """
    theirs = {
        "masked_lm_activation": checkpoint.encoder.activation,
        "masked_lm_epsilon": checkpoint.encoder.layer_norm_epsilon,
    }
    activation = checkpoint.task.get("masked_lm_activation", checkpoint.encoder.activation)
    epsilon = checkpoint.task.get("masked_lm_epsilon", checkpoint.encoder.layer_norm_epsilon)
    here = {"masked_lm_activation": activation, "masked_lm_epsilon": epsilon}
    if here == theirs | fixed or "masked_lm/bias" not in checkpoint.weights:
        return []
    return [f"The masked LM head computes with {activation} and epsilon {epsilon} here, not in their code."]


def read_own(data: dict, path: Path) -> tuple[config.TextConfig | None, dict[str, Any]]:
    """The `TextConfig` (None if absent) and the task settings that `write_own` put into their `data`."""
    own = member(data, OWN, {}, path)
    text = None
    if "text" in own:
        text = parse(config.TextConfig, member(own, "text", {}, path), path)
    return text, member(own, "task", {}, path)


def write_own(data: dict, checkpoint: Checkpoint) -> dict:
    """Their `data` with the settings of text and head, for which their files have no place, under the key `OWN`."""
    kept = {"text": checkpoint.text.to_json(), "task": checkpoint.task}
    return data | {OWN: data.get(OWN, {}) | kept}


def parse(cls: type, values: Mapping[str, Any], path: Path | str) -> Any:
    """`config.from_dict` for a file that somebody else wrote: a wrong value raises `InputError`."""
    try:
        return config.from_dict(cls, values)
    except (ConfigError, TypeError) as error:
        raise InputError(f"{path}: {error}") from None
