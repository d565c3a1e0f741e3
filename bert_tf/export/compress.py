"""Compression of a task's model to a target: steps from the mildest on, each trained, exported and measured."""

import dataclasses
import functools
import json
import pathlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from bert_tf.core import files
from bert_tf.core.config import assignment
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.readers.examples import write_files_of
from bert_tf.export.compress_report import write_report
from bert_tf.export.compress_target import Measured, Target, check_forms
from bert_tf.export.signatures import check_request
from bert_tf.export.tflite import export_tflite
from bert_tf.tasks import TASKS, load
from bert_tf.tasks.base.raw_inputs import strings_in
from bert_tf.training import run_folder
from bert_tf.training.recipes import prune
from bert_tf.training.recipes.finetune import finetune
from bert_tf.training.recipes.finetune_config import FinetuneConfig, override_config
from bert_tf.training.recipes.finetune_data import check_rows, read_rows

_STEPS = "steps"
_FILES = (".tflite", ".json")  # of a form of a step; the second is the report of the first
_TEACHER = "teacher"  # folder of its outputs, which the steps share
_RANKED = 2048  # training examples on which the effect of heads and columns is measured, at most
_HEADS, _COLUMNS = 1 / 3, 1 / 2  # shares to remove


@dataclasses.dataclass(frozen=True)
class Step:
    """A change of the model of the step before.

    Attributes:
        name: of the step and its folder.
        meaning: what it does, in words.
        change: from a task model and its training `Examples` to a new model; None: the same model.
        trains: whether the new model has to be trained.
    """

    name: str
    meaning: str
    change: Callable[[Any, Any], Any] | None
    trains: bool = True


def compress(
    config: FinetuneConfig,
    target: Target,
    lengths: Sequence[int] = (),
    quantize: Sequence[str] = ("int8",),
    tell: Callable[[Measured], None] = lambda measured: None,
) -> Measured:
    """Makes smaller and faster .tflite files of a model until one is within the target.

    Writes to `config.output`: model/ and model.tflite, those of the chosen step; README.md, compress.json and
    compress.png; and steps/ with the training run and the file of each. Finished steps are kept: the same call goes on
    after an interruption, and a call with another target adds steps.

    Args:
        config: how data are read and models are trained; `model.init` is the folder of the model, which stays as it
            is. It is the teacher of the smaller ones, where the task has teachers and the config names no other.
        lengths: tokens of a row in the files, a signature each; (): the model's `max_length`. The longest rows are
            scored, and their time is compared with the target's.
        quantize: forms of the file of each step, from the mildest on: as for `export_tflite`, without int8_full.
        tell: called after each step.

    Returns:
        The chosen one.

    Raises:
        ConfigError: the settings cannot be, or the folder is that of other ones.
        InputError: no step is within the target. The nearest is kept as if it were.
    """
    config.check()
    check_forms(quantize)
    if config.tasks or config.seeds != 1:
        raise ConfigError("Received: a config of several tasks or seeds. One model is compressed: leave them out.")
    folder = pathlib.Path(config.output)
    with run_folder.locked(folder):
        _check_folder(folder, {"config": dataclasses.asdict(config), "lengths": lengths, "quantize": list(quantize)})
        work = Compression(config, folder / _STEPS, lengths, quantize)
        measured: list[Measured] = []
        for found in work.steps():
            measured += found
            for one in found:
                tell(one)
            if target.ends(found):
                break
        chosen, reached = target.choose(measured)
        work.publish(chosen, folder)
        write_report(folder, work.whole.purpose, measured, chosen, work.left_out)
    if not reached:
        raise InputError(
            f"No step reaches the target. The nearest is {chosen.name}: {chosen.size / 1e6:.1f} MB, "
            f"{chosen.latency:.1f} ms, {chosen.points:.1f} points lost. It is kept in {folder}."
        )
    return chosen


class Compression:
    """The steps of a compression, in its folder.

    Attributes:
        whole: the model before all steps.
        left_out: {name: why} of steps that this model does not have.
    """

    def __init__(self, config: FinetuneConfig, folder: pathlib.Path, lengths: Sequence[int], quantize: Sequence[str]):
        self.config, self.folder, self.quantize = config, folder, quantize
        self.left_out: dict[str, str] = {}
        self.whole = load(config.model.init)
        self.lengths = list(lengths) or [self.whole.max_length]
        rows = read_rows(config)
        self.learned, self.heldout = check_rows(rows[0], rows[1], self.whole, config.data.separator)
        self._models: dict[str, str] = {}  # the folder of the model of each file
        self._teacher = config.model.init
        self._score = 0.0  # of the whole model

    def steps(self) -> Iterator[list[Measured]]:
        """Yields the files that each step makes, one for each form; it begins with the model of the one before."""
        init = self.config.model.init
        for step in _steps(self.whole):
            folder = self.folder / step.name
            model = init
            if step.change:
                model = str(folder / ("run/model" if step.trains else "changed"))
            missing = [kind for kind in self.quantize if not (folder / kind).with_suffix(_FILES[1]).exists()]
            if missing:
                try:
                    changed = step.change and step.change(load(init), self.learned)
                except (ConfigError, InputError) as error:
                    self.left_out[step.name] = str(error)
                    continue
                self._take(step, changed, folder)
                trained = load(model)
                for kind in missing:
                    self._export(trained, folder, kind)
            if not step.trains:  # it computes the same, with this vocabulary
                self._teacher = model
            init = model
            yield [self._measured(step, model, kind) for kind in self.quantize]

    def publish(self, chosen: Measured, folder: pathlib.Path) -> None:
        """Writes the model and the file of a step to `folder`, in place of earlier ones."""
        self._save(load(self._models[chosen.name]), folder / "model")
        for ending in _FILES:
            shutil.copyfile((folder / chosen.file).with_suffix(ending), folder / f"model{ending}")

    def _take(self, step: Step, changed: Any, folder: pathlib.Path) -> None:
        """Writes the changed model of a step, and trains it."""
        if changed is None:
            return
        self._save(changed, folder / "changed")
        if step.trains:
            finetune(self._run(folder / "changed", folder / "run"))
            keras.utils.clear_session()

    def _save(self, model: Any, folder: pathlib.Path) -> None:
        model.save_pretrained(folder, overwrite=folder.exists())
        write_files_of(folder, self.config.data)

    def _export(self, model: Any, folder: pathlib.Path, kind: str) -> None:
        """Writes the file of a form of a step, and its report, which marks it as finished."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{kind}{_FILES[0]}"
        path.unlink(missing_ok=True)  # of an interrupted call
        heldout = (self.heldout.texts, self.heldout.targets)
        export_tflite(
            *(model, path, self.lengths, check_request(model), kind, None, heldout),
            max_drop=100.0,  # the score is measured, whatever it is
        )

    def _run(self, init: pathlib.Path, output: pathlib.Path) -> FinetuneConfig:
        """The config of a step's training."""
        settings = {"model.init": str(init), "output": str(output)}
        if TASKS[self.config.task].distills and self.config.teacher.model in (None, self.config.model.init):
            settings |= {"teacher.model": str(self._teacher), "teacher.outputs": str(self.folder / _TEACHER)}
        return override_config(self.config, [assignment(name, value) for name, value in settings.items()])

    def _measured(self, step: Step, model: str, kind: str) -> Measured:
        """The size, latency and score of a step's file in the form `kind`."""
        report = files.read_json(self.folder / step.name / f"{kind}{_FILES[1]}")
        score = report["score"]
        name = step.name if len(self.quantize) == 1 else f"{step.name}-{kind}"
        self._models[name] = model
        self._score = self._score or score["keras"]  # of the first step, which changes no weights
        return Measured(
            name=name,
            meaning=step.meaning,
            size=report["mib"] * 2**20,
            latency=report["latency_ms"][str(max(self.lengths))]["1"],
            score=score["tflite"],
            points=100 * (self._score - score["tflite"]) / self.whole.SCORE_MAX,
            file=f"{_STEPS}/{step.name}/{kind}{_FILES[0]}",
        )


def _steps(model: Any) -> Iterator[Step]:
    """The steps for a model, from the mildest on."""
    yield Step("whole", "nothing removed", None, False)
    yield Step(
        "vocabulary",
        "only the tokens that the training texts need",
        lambda model, learned: prune.trim_vocabulary(model, strings_in(learned.texts)),
        False,
    )
    yield Step("pruned", "a third of the heads and half of the feed-forward columns removed", _prune)
    layers = model.config.num_layers
    while layers > 1:
        whole, layers = layers, layers // 2
        kept = np.linspace(0, whole - 1, layers).round().astype(int).tolist()
        yield Step(f"layers-{layers}", f"{layers} of the layers", functools.partial(_keep_layers, layers=kept))


def _keep_layers(model: Any, learned: Any, layers: Sequence[int]) -> Any:
    del learned
    return prune.keep_layers(model, layers)


def _prune(model: Any, learned: Any) -> Any:
    few = learned.take(range(0, len(learned), -(-len(learned) // _RANKED)))
    return prune.remove(model, prune.rank(model, few.texts, few.targets), _HEADS, _COLUMNS)


def _check_folder(folder: pathlib.Path, settings: dict) -> None:
    """Writes the settings into a new folder; one of other settings, or of something else, raises `ConfigError`."""
    settings = json.loads(json.dumps(settings))  # as they are read again
    found = run_folder.read_settings(folder).get(run_folder.REQUESTED, settings)
    if found != settings:
        raise ConfigError(f"{folder} is of other settings. Choose another --output.")
    values = {run_folder.REQUESTED: settings, run_folder.RESOLVED: {}}
    files.write_text(folder / run_folder.SETTINGS, json.dumps(values, indent=2) + "\n")
