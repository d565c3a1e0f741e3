"""Files that sentence-transformers adds to a Hugging Face folder: how token vectors become one vector per text."""

from pathlib import Path
from typing import Any

from bert_tf.core.errors import InputError
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.encoder_fields import load_json, load_optional_json, member, save_json
from bert_tf.weights.formats.base import task_classes

FORMAT, CLASS = "sentence_transformers", "SentenceTransformer"
MODEL = "config_sentence_transformers.json"
MODULES, TRANSFORMER, POOLING, NORMALIZE = "modules.json", "sentence_bert_config.json", "1_Pooling", "2_Normalize"
# {their name: our pooling}: one setting in new files, a flag for each in old ones.
POOLINGS = {"cls": "cls", "mean": "mean", "max": "max"}
FLAGS = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean", "pooling_mode_max_tokens": "max"}


def read(folder: Path) -> dict[str, Any]:
    """The task settings with pooling, normalisation and length; {} for a folder that is no sentence encoder."""
    if not (folder / MODULES).exists():
        return {}
    path = folder / MODULES
    modules: dict[str, Any] = {}  # {class without its package: its entry}
    for module in load_json(path, list):
        modules[member(module, "type", "", path).rsplit(".", 1)[-1]] = module
    if strange := modules.keys() - {"Transformer", "Pooling", "Normalize"}:
        raise InputError(f"{path} has a module that cannot be carried over: {', '.join(sorted(strange))}.")
    task = {"name": task_classes(FORMAT)[CLASS].name, "pooling": "mean", "normalize": "Normalize" in modules}
    task |= _prompts(folder)
    if "Pooling" in modules:
        place = Path(member(modules["Pooling"], "path", POOLING, path))
        if place.is_absolute() or ".." in place.parts:
            raise InputError(f"{path} has a module in {str(place)!r}. Modules are in folders of the model.")
        pooling = folder / place / "config.json"
        task["pooling"] = _pooling(pooling)
        with_prompt = member(load_json(pooling), "include_prompt", True, pooling)
        if not with_prompt and task["pooling"] != "cls" and any(task.get("prompts", {}).values()):
            raise InputError(
                f"{pooling} leaves the tokens of prompts out of pooling (include_prompt). This cannot be carried over."
            )
    settings = load_optional_json(folder / TRANSFORMER)
    if length := member(settings, "max_seq_length", 0, folder / TRANSFORMER):
        task["max_length"] = length
    return task


def lower_cases(folder: Path) -> bool:
    """Whether texts are lower-cased before the tokenizer reads them."""
    return member(load_optional_json(folder / TRANSFORMER), "do_lower_case", False, folder / TRANSFORMER)


def _prompts(folder: Path) -> dict[str, Any]:
    """The task settings for what precedes texts, and for how much of a vector is kept."""
    path = folder / MODEL
    settings = load_optional_json(path)
    task: dict[str, Any] = {}
    if prompts := member(settings, "prompts", {}, path):
        task["prompts"] = {name: member(prompts, name, "", path) for name in prompts}
    if name := member(settings, "default_prompt_name", "", path):
        if name not in task.get("prompts", {}):
            raise InputError(f"{path}: default_prompt_name is {name!r}, which is none of its prompts.")
        task["default_prompt_name"] = name
    if size := member(settings, "truncate_dim", 0, path):
        task["truncate_dim"] = size
    return task


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes the modules of a checkpoint whose task embeds texts, and nothing for any other."""
    task = checkpoint.task
    if task.get("name") != task_classes(FORMAT)[CLASS].name:
        return
    modules = {"Transformer": "", "Pooling": POOLING}  # {class: folder}; the transformer's files are at the top
    if task["normalize"]:
        modules["Normalize"] = NORMALIZE
    entries = []
    for i, (kind, path) in enumerate(modules.items()):
        entries.append({"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"})
        (folder / path).mkdir(exist_ok=True)
    save_json(folder / MODULES, entries)
    length = task.get("max_length", checkpoint.encoder.max_positions)
    # Their lowercasing would be applied before the tokenizer, which does its own.
    save_json(folder / TRANSFORMER, {"max_seq_length": length, "do_lower_case": False})
    model = {"prompts": task.get("prompts", {}), "default_prompt_name": task.get("default_prompt_name")}
    if "truncate_dim" in task:
        model["truncate_dim"] = task["truncate_dim"]
    save_json(folder / MODEL, model)
    flags = {flag: pooling == task["pooling"] for flag, pooling in FLAGS.items()}
    width = {"word_embedding_dimension": checkpoint.encoder.hidden_size}
    save_json(folder / POOLING / "config.json", width | flags)


def _pooling(path: Path) -> str:
    settings = load_json(path)
    set_flags = [key for key, value in settings.items() if key.startswith("pooling_mode_") and value]
    modes = settings.get("pooling_mode", set_flags)
    if not isinstance(modes, list):
        modes = [str(modes)]
    known = FLAGS | POOLINGS
    if len(modes) != 1 or modes[0] not in known:
        raise InputError(f"{path} pools by {' and '.join(map(str, modes)) or 'nothing'}. Known: {', '.join(POOLINGS)}.")
    return known[modes[0]]
