"""The verb `compress`."""

import dataclasses
import pathlib
from typing import Any

from bert_tf.cli.flags import file_settings, lengths_of
from bert_tf.core.config import assignment, read_toml
from bert_tf.core.errors import ConfigError
from bert_tf.data.readers.examples import files_of
from bert_tf.data.readers.tfds import PREFIX
from bert_tf.export.compress_target import Measured, Target, check_forms
from bert_tf.tasks import TASKS
from bert_tf.training.recipes.early_checks import check_finetune
from bert_tf.training.recipes.finetune_config import FinetuneConfig, make_config
from bert_tf.weights import read_task

_HELD_OUT = 0.1  # share of the training examples, where no held-out file is named


def compress(flags: Any, overrides: list[str]) -> None:
    """Makes smaller files of a model until one is within the target; prints what each step gives."""
    target = Target.parse(flags.target)
    forms = flags.quantize.split(",")
    check_forms(forms)
    config = _config(flags, overrides)
    check_finetune(config)  # a mistake is reported before TensorFlow is imported
    from bert_tf.export.compress import compress as run

    chosen = run(config, target, lengths_of(flags.length), forms, _tell)
    print(f"{chosen.name} reaches {flags.target}: {config.output}/model.tflite and model/; all steps: README.md.")


def _config(flags: Any, overrides: list[str]) -> FinetuneConfig:
    """The config of the trainings: a file, if one is given, then the flags, then key=value."""
    values = read_toml(flags.config) if flags.config else {}
    task = read_task(flags.model).get("name")
    if task not in TASKS:
        raise ConfigError(f"Received: --model={flags.model}, which is no model of a task. Fine-tune it first.")
    if values.get("task", task) != task:
        raise ConfigError(f"Received: --config={flags.config}, which is for {values['task']}, and a model for {task}.")
    data = {name: value for name, value in dataclasses.asdict(files_of(flags.model)).items() if value is not None}
    data |= values.get("data", {})
    if pathlib.Path(flags.data).is_dir():
        data["folder"] = flags.data
    else:
        data |= {"folder": "", "train": flags.data}
        data.pop("heldout", None)
    given = [assignment("model.init", flags.model), assignment("output", flags.output)]
    if flags.heldout:
        of_file = not flags.heldout.startswith(PREFIX)  # which is not in the folder of the others
        data["heldout"] = str(pathlib.Path(flags.heldout).absolute()) if of_file else flags.heldout
    elif not data.get("heldout") and not any(item.startswith("data.heldout") for item in overrides):
        data.setdefault("heldout_share", _HELD_OUT)
    values |= {"task": task, "data": data}
    if TASKS[task].distills:
        values["teacher"] = {"model": flags.model} | values.get("teacher", {})
    return make_config(values, [*given, *file_settings(flags, "data."), *overrides])


def _tell(one: Measured) -> None:
    costs = f"{one.size / 1e6:7.2f} MB {one.latency:8.2f} ms"
    print(f"  {one.name:<12} {costs}   score {one.score:.4f} ({-one.points:+.2f} points)", flush=True)
