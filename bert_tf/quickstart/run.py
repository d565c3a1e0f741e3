"""The run folder of a quick start; it keeps the results of finished stages, so that a run can resume."""

import contextlib
import json
import pathlib
import re
import shutil
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console

from bert_tf.core import files
from bert_tf.core.console import output_console
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.training.run_folder import REQUESTED, others

SETTINGS, STAGES, METRICS = "settings.json", "stages", "metrics.json"


class Run:
    """A run folder; `stage` runs each stage once and keeps its result in `stages/` as JSON.

    Args:
        folder: new, empty, or that of an earlier run.
        settings: of the run, JSON values.
        console: of rich; None: standard output.

    Raises:
        ConfigError: the folder holds something else, or a run with other settings.
    """

    def __init__(self, folder: str | pathlib.Path, settings: dict, console: Console | None = None):
        self.folder = pathlib.Path(folder)
        self.settings = settings
        self.console = console or output_console()
        self._open()

    def _open(self) -> None:
        """Resumes an interrupted run with the same settings, or starts a new one; prints which."""
        kept = sorted(path.stem for path in (self.folder / STAGES).glob("*.json"))
        if kept:
            found = self._settings()
            if found != self.settings:
                raise ConfigError(
                    f"{self.folder} holds a run with other settings ({_difference(found, self.settings)}). "
                    "Choose another --output, or remove that folder."
                )
            if not (self.folder / METRICS).exists():
                self.say(f"Resuming the interrupted run in {self.folder}: kept {', '.join(kept)}.")
                return
            self.say(f"{self.folder} holds a finished run with these settings. Removing it and starting again.")
            self._clear()
        elif not self._is_ours():
            raise ConfigError(f"{self.folder} is not empty and not a quick start's folder. Choose another --output.")
        files.write_text(self.folder / SETTINGS, json.dumps(self.settings, indent=2) + "\n")

    def _settings(self) -> dict:
        """The settings of the run in the folder; `ConfigError` where they are missing or damaged."""
        try:
            found = files.read_json(self.folder / SETTINGS)
        except InputError as error:
            raise ConfigError(f"{error} Choose another --output, or remove that folder.") from None
        return found if isinstance(found, dict) else {}

    def _is_ours(self) -> bool:
        """Whether the folder is new, empty, or was left by a run that finished no stage."""
        if not others(self.folder, [re.escape(SETTINGS)]):
            return True  # also with half-written settings
        return (self.folder / SETTINGS).exists() and REQUESTED not in self._settings()  # not of a training run

    def _clear(self) -> None:
        """Removes the run; the results of stages first, so that a kill leaves nothing that seems finished."""
        shutil.rmtree(self.folder / STAGES)
        for name in others(self.folder, []):
            path = self.folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def stage(self, name: str, line: str, work: Callable[[], Any]) -> Any:
        """Runs `work()`, unless the interrupted run finished this stage; returns its result as JSON values.

        Args:
            name: of the stage.
            line: describes the stage; it is printed.
            work: does the stage.
        """
        path = self.folder / STAGES / f"{name}.json"
        with contextlib.suppress(InputError):  # missing, or damaged: the stage is done again
            result = files.read_json(path)
            self.say(f"[bold]{name}[/bold]: kept from the interrupted run")
            return result
        self.say(f"[bold]{name}[/bold]: {line}")
        started = time.monotonic()
        result = work()
        files.write_text(path, json.dumps(result, ensure_ascii=False, indent=2) + "\n")
        self.say(f"  done in {time.monotonic() - started:.0f} s")
        # Read back, so that a result is the same in a run that was interrupted after the stage.
        return files.read_json(path)

    def say(self, text: str) -> None:
        """Prints text with rich's markup."""
        self.console.print(text)


def _difference(found: dict, wanted: dict) -> str:
    """The settings that differ, with both values."""
    parts = []
    for name, value in wanted.items():
        if found.get(name) != value:
            parts.append(f"{name}: {found.get(name)!r} there, {value!r} now")
    return ", ".join(parts)
