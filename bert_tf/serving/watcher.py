"""Keeps the versions in memory up to date with the base paths: opens new ones, drains old ones, logs problems."""

import asyncio
import pathlib

from absl import logging

from bert_tf.serving.models import Model, Models, Version
from bert_tf.serving.servable import Servable
from bert_tf.serving.version_folders import find_versions, fingerprint
from bert_tf.serving.warmup import warm_up


class Watcher:
    """Polls the base paths of `models`; versions are opened in a thread, while requests are answered.

    Args:
        models: the models.
        warmup: whether a version runs its warm-up requests before it answers others.
    """

    def __init__(self, models: Models, warmup: bool):
        self._models = models
        self._warmup = warmup
        self._warned: set[tuple[str, str]] = set()

    async def poll(self) -> None:
        """Checks every base path once."""
        for model in self._models.by_name.values():
            try:
                await self._poll(model)
            except OSError as error:  # an unmounted disk for instance: versions in memory keep answering
                self._warn(model, f"{model.config.base_path} cannot be read: {error}")

    async def _poll(self, model: Model) -> None:
        found, refused = await asyncio.to_thread(find_versions, model.config.base_path)
        for reason in refused.values():
            self._warn(model, reason)
        wanted: list[int] = []
        for number in model.config.candidates(found):
            if len(wanted) == model.config.latest:
                break
            if await self._is_loaded(model, number, found[number]):
                wanted.append(number)
        if not wanted:
            path = model.config.base_path
            self._warn(
                model,
                f"{path} has no version that can be served. Waiting for one: bert-tf export --model FOLDER "
                f"--output {path}",
            )
            return  # the old versions keep answering
        for version in model.available:
            if version.number not in wanted:
                version.unload()
                self._report(model, f"version {version.number} is no longer served")

    async def _is_loaded(self, model: Model, number: int, path: pathlib.Path) -> bool:
        """Whether the version is in memory, after opening it if need be."""
        version = model.versions.setdefault(number, Version(number))
        if version.available:
            return True
        files = await asyncio.to_thread(fingerprint, path)
        if files == version.failed_files:
            return False  # it failed before and has not changed
        version.begin_loading()
        try:
            version.loaded(await asyncio.to_thread(_open, path, self._warmup))
        except Exception as error:  # a damaged version can make TensorFlow raise anything
            reason = (str(error) or type(error).__name__).splitlines()[0]
            version.failed(reason, files)
            self._warn(model, f"version {number} is not served: {reason}")
            return False
        self._report(model, f"version {number} is served from {path}")
        return True

    def _report(self, model: Model, message: str) -> None:
        print(f"{model.config.name}: {message}", flush=True)
        self._warned.clear()

    def _warn(self, model: Model, message: str) -> None:
        """Logs a warning once until something changes."""
        if (model.config.name, message) not in self._warned:
            self._warned.add((model.config.name, message))
            logging.warning("%s: %s", model.config.name, message)


def _open(path: pathlib.Path, warmup: bool) -> Servable:
    servable = Servable(path)
    if warmup:
        warm_up(servable)
    return servable
