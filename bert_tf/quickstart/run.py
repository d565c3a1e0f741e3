"""The folder of a quick start: results of finished stages are kept, so that an interrupted run can resume."""

import json
import pathlib
import shutil
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console

from bert_tf.core import files
from bert_tf.core.errors import ConfigError

SETTINGS, STAGES, METRICS = "settings.json", "stages", "metrics.json"


class Run:
    """A run folder; `stage` runs each stage once and keeps its result in `stages/` as JSON."""

    def __init__(self, folder: str | pathlib.Path, settings: dict, console: Console | None = None):
        self.folder = pathlib.Path(folder)
        self.settings = settings
        self.console = console or Console(highlight=False)
        self._open()

    def _open(self) -> None:
        """Resumes an interrupted run of the same settings, starts clean otherwise, and prints which."""
        kept = sorted(path.stem for path in (self.folder / STAGES).glob("*.json"))
        if kept:
            found = json.loads((self.folder / SETTINGS).read_text(encoding="utf-8"))
            if found != self.settings:
                raise ConfigError(
                    f"{self.folder} holds a run with other settings ({_difference(found, self.settings)}). "
                    "Choose another --output, or remove that folder."
                )
            if not (self.folder / METRICS).exists():
                self.say(f"Resuming the interrupted run in {self.folder}: kept {', '.join(kept)}.")
                return
            self.say(f"{self.folder} holds a finished run with these settings: starting again.")
            shutil.rmtree(self.folder)
        elif not self._is_ours():
            raise ConfigError(f"{self.folder} exists and is not a quick start's folder. Choose another --output.")
        files.write_text(self.folder / SETTINGS, json.dumps(self.settings, indent=2) + "\n")

    def _is_ours(self) -> bool:
        """Whether the folder is new, empty, or was left by a run that finished no stage."""
        return not self.folder.exists() or not any(self.folder.iterdir()) or (self.folder / SETTINGS).exists()

    def stage(self, name: str, line: str, work: Callable[[], Any]) -> Any:
        """The result of `work()` (JSON), from now or from the interrupted run; `line` describes the stage."""
        path = self.folder / STAGES / f"{name}.json"
        if path.exists():
            self.say(f"[bold]{name}[/bold]: kept from the interrupted run")
            return json.loads(path.read_text(encoding="utf-8"))
        self.say(f"[bold]{name}[/bold]: {line}")
        started = time.monotonic()
        result = work()
        files.write_text(path, json.dumps(result, ensure_ascii=False, indent=2) + "\n")
        self.say(f"  done in {time.monotonic() - started:.0f} s")
        return json.loads(path.read_text(encoding="utf-8"))

    def say(self, text: str) -> None:
        self.console.print(text)


def _difference(found: dict, wanted: dict) -> str:
    names = [name for name in wanted if found.get(name) != wanted[name]]
    return ", ".join(f"{name}: {found.get(name)!r} there, {wanted[name]!r} now" for name in names)
