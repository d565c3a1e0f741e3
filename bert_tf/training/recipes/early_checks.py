"""Checks of the paths of a run that need no TensorFlow, so that a mistake is reported within a second."""

import pathlib

from bert_tf.core.errors import ConfigError
from bert_tf.data.readers.bad_rows import BadRows
from bert_tf.data.readers.examples import stream_rows
from bert_tf.data.readers.tfds import PREFIX
from bert_tf.modeling.families import FAMILIES
from bert_tf.tasks import TASKS
from bert_tf.text.corpus import find_files
from bert_tf.text.tokenizers.vocabulary import read_vocabulary
from bert_tf.training.config import PretrainConfig
from bert_tf.training.recipes.finetune_config import FinetuneConfig
from bert_tf.training.run_folder import read_settings
from bert_tf.weights import find_format, read_task


def check_finetune(config: FinetuneConfig) -> None:
    """Raises what the run would raise for its model folder, the first rows of its files, or its output folder."""
    config.check()
    find_format(config.model.init)
    if config.teacher.model and (task := read_task(config.teacher.model).get("name")) != config.task:
        raise ConfigError(
            f"Received: teacher.model={config.teacher.model}, whose task is {task}, with task={config.task!r}. Give a "
            "model fine-tuned for it."
        )
    for part in config.parts().values():
        _check_family(part.model.encoder)
        data = part.data
        for name in (data.train, data.heldout, config.teacher.unlabelled):
            if name and not name.startswith(PREFIX):
                path, has_targets = data.path(name), name != config.teacher.unlabelled
                bad = BadRows(path, data.skip_bad_rows)
                next(stream_rows(path, data, TASKS[part.task], bad, has_targets), None)
    if config.seeds == 1:
        read_settings(config.output)


def check_pretrain(config: PretrainConfig) -> None:
    """As `check_finetune`, for the records, the vocabulary, the model folder and the output folder."""
    config.check()
    _check_family(config.model.encoder)
    for phase in config.all_phases:
        for records in filter(None, (phase.records, phase.heldout)):
            find_files(pathlib.Path(records))
    if config.model.vocabulary:
        read_vocabulary(config.model.vocabulary)
    if config.model.init:
        find_format(config.model.init)
    read_settings(config.output)


def _check_family(name: str | None) -> None:
    if name:
        FAMILIES.check(name)
