"""Served models: their versions, the state of each, and the version that a request is for."""

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator
from typing import Any

from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

from bert_tf.serving.servable import Servable
from bert_tf.serving.status import Code, RequestError


@dataclasses.dataclass(frozen=True)
class Target:
    """The model, version and signature that a request is for; without version and label it is the newest version."""

    name: str
    version: int | None = None
    label: str | None = None
    signature_name: str = ""


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A model's name, its base path, and the selection of versions to serve."""

    name: str
    base_path: str | os.PathLike
    latest: int | None = 1  # number of the newest versions that can be opened; None: all
    only: frozenset[int] = frozenset()  # only these versions; empty: any
    labels: dict[str, int] = dataclasses.field(default_factory=dict)  # other names of versions

    def candidates(self, numbers: Iterable[int]) -> list[int]:
        """Versions in the order in which they are opened, newest first."""
        chosen = set(numbers)
        if self.only:
            chosen &= self.only
        return sorted(chosen, reverse=True)


class Version:
    """One version of a model and its state."""

    def __init__(self, number: int):
        self.number = number
        self.state = ModelVersionStatus.START
        self.error = ""
        self.failed_files: Any = None  # fingerprint of files that could not be opened
        self.servable: Servable | None = None
        self._users = 0

    @property
    def available(self) -> bool:
        """Whether the version answers requests."""
        return self.state == ModelVersionStatus.AVAILABLE

    def begin_loading(self) -> None:
        """Sets the state while the version is opened."""
        self.state, self.error = ModelVersionStatus.LOADING, ""

    def loaded(self, servable: Servable) -> None:
        """Puts the opened version into service."""
        self.state, self.servable, self.failed_files = ModelVersionStatus.AVAILABLE, servable, None

    def failed(self, error: str, files: Any) -> None:
        """Ends a version that could not be opened; `files` is the fingerprint of its files."""
        self.state, self.error, self.failed_files = ModelVersionStatus.END, error, files

    def unload(self) -> None:
        """Accepts no more requests; the memory is freed when the last running one is answered."""
        self.state = ModelVersionStatus.UNLOADING
        self._drop_if_idle()

    @contextlib.contextmanager
    def use(self) -> Iterator[Servable]:
        """Keeps an available version in memory while the block runs; yields its `Servable`."""
        assert self.servable is not None, f"version {self.number} is not in memory"
        self._users += 1
        try:
            yield self.servable
        finally:
            self._users -= 1
            self._drop_if_idle()

    def _drop_if_idle(self) -> None:
        if self.state == ModelVersionStatus.UNLOADING and not self._users:
            self.state, self.servable = ModelVersionStatus.END, None


class Model:
    """A model with its versions."""

    def __init__(self, config: ModelConfig):
        self.config = config
        self.versions: dict[int, Version] = {}

    @property
    def available(self) -> list[Version]:
        """The versions that answer requests, newest first."""
        newest_first = sorted(self.versions, reverse=True)
        return [self.versions[number] for number in newest_first if self.versions[number].available]

    def version(self, target: Target) -> Version:
        """The `Version` that `target` names, or the newest; NOT_FOUND if it is not in service."""
        number = self._number(target)
        if number is None and self.available:
            return self.available[0]
        if number in self.versions and self.versions[number].available:
            return self.versions[number]
        if target.label:
            asked = f"label {target.label}"
        elif number is None:
            asked = "version"
        else:
            asked = f"version {number}"
        there = ", ".join(str(version.number) for version in self.available) or "none"
        raise RequestError(
            Code.NOT_FOUND, f"Servable not found: {self.config.name} has no {asked} in service. Versions: {there}."
        )

    def statuses(self, target: Target) -> list[Version]:
        """The version that `target` names, or all versions, newest first; NOT_FOUND for an unknown one."""
        number = self._number(target)
        if number is None:
            return [self.versions[other] for other in sorted(self.versions, reverse=True)]
        if number not in self.versions:
            raise RequestError(Code.NOT_FOUND, f"{self.config.name} has no version {target.label or number}.")
        return [self.versions[number]]

    def _number(self, target: Target) -> int | None:
        """The number that a target asks for; None: the newest; -1, which no version has, for an unknown label."""
        if target.label:
            return self.config.labels.get(target.label, -1)
        return target.version


class Models:
    """All models by name."""

    def __init__(self, configs: Iterable[ModelConfig]):
        self.by_name = {config.name: Model(config) for config in configs}

    def version(self, target: Target) -> Version:
        """`Model.version` of the model that `target` names."""
        return self._model(target).version(target)

    def statuses(self, target: Target) -> list[Version]:
        """`Model.statuses` of the model that `target` names."""
        return self._model(target).statuses(target)

    def _model(self, target: Target) -> Model:
        if target.name not in self.by_name:
            names = ", ".join(self.by_name)
            raise RequestError(Code.NOT_FOUND, f"Servable not found: no model {target.name[:100]!r}. Models: {names}.")
        return self.by_name[target.name]

    @property
    def ready(self) -> bool:
        """Whether every model has a version in service."""
        return all(model.available for model in self.by_name.values())
