"""Keeps the versions in memory in step with the base paths: opens new ones, drains old ones, says what is wrong."""

import asyncio

from absl import logging

from bert_tf.serving.models import Version
from bert_tf.serving.servable import Servable
from bert_tf.serving.version_folders import find_versions, fingerprint
from bert_tf.serving.warmup import warm_up


class Watcher:
    """Polls the base paths of `models`; a version is opened in a thread, beside the requests."""

    def __init__(self, models, warmup):
        self._models = models
        self._warmup = warmup
        self._said = set()

    async def poll(self):
        """Looks at every base path once."""
        for model in self._models.by_name.values():
            try:
                await self._poll(model)
            except OSError as error:  # an unmounted disk, say: what is in memory goes on answering
                self._say(model, f"{model.config.base_path} cannot be read: {error}")

    async def _poll(self, model):
        found, refused = await asyncio.to_thread(find_versions, model.config.base_path)
        for reason in refused.values():
            self._say(model, reason)
        wanted = []
        for number in model.config.candidates(found):
            if len(wanted) == model.config.latest:
                break
            if await self._is_loaded(model, number, found[number]):
                wanted.append(number)
        if not wanted:
            self._say(model, f"{model.config.base_path} has no version that can be served.")
            return  # the old ones go on answering
        for version in model.available:
            if version.number not in wanted:
                version.unload()
                self._tell(model, f"version {version.number} is no longer served")

    async def _is_loaded(self, model, number, path):
        version = model.versions.setdefault(number, Version(number))
        if version.available:
            return True
        files = await asyncio.to_thread(fingerprint, path)
        if files == version.failed_files:
            return False  # it failed before, and nothing of it has changed
        version.begin_loading()
        try:
            version.loaded(await asyncio.to_thread(_open, path, self._warmup))
        except Exception as error:  # whatever a damaged version makes TensorFlow raise
            reason = (str(error) or type(error).__name__).splitlines()[0]
            version.failed(reason, files)
            self._say(model, f"version {number} is not served: {reason}")
            return False
        self._tell(model, f"version {number} is served from {path}")
        return True

    def _tell(self, model, message):
        print(f"{model.config.name}: {message}", flush=True)
        self._said.clear()

    def _say(self, model, message):
        """Warns, once until something changes."""
        if (model.config.name, message) not in self._said:
            self._said.add((model.config.name, message))
            logging.warning("%s: %s", model.config.name, message)


def _open(path, warmup):
    servable = Servable(path)
    if warmup:
        warm_up(servable)
    return servable
