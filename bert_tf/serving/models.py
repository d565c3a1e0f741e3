"""The models that are served: which versions are there, in which state, and which one a request means."""

import contextlib
import dataclasses

from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

from bert_tf.serving.servable import Servable
from bert_tf.serving.status import Code, RequestError


@dataclasses.dataclass(frozen=True)
class Target:
    """Which model, version and signature a request means."""

    name: str
    version: int | None = None
    label: str | None = None
    signature_name: str = ""


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A model's name and base path, and which of the versions there are served."""

    name: str
    base_path: str
    latest: int | None = 1  # how many of the newest versions that can be opened; None: all
    only: frozenset[int] = frozenset()  # these versions alone; empty: any
    labels: dict[str, int] = dataclasses.field(default_factory=dict)  # other names of versions

    def candidates(self, numbers):
        """Versions in the order in which they are to be opened, newest first."""
        return sorted((number for number in numbers if not self.only or number in self.only), reverse=True)


class Version:
    """One version of a model and its state."""

    def __init__(self, number):
        self.number = number
        self.state = ModelVersionStatus.START
        self.error = ""
        self.failed_files = None  # the fingerprint of files that could not be opened
        self.servable: Servable | None = None
        self._users = 0

    @property
    def available(self):
        return self.state == ModelVersionStatus.AVAILABLE

    def begin_loading(self):
        self.state, self.error = ModelVersionStatus.LOADING, ""

    def loaded(self, servable):
        self.state, self.servable, self.failed_files = ModelVersionStatus.AVAILABLE, servable, None

    def failed(self, error, files):
        self.state, self.error, self.failed_files = ModelVersionStatus.END, error, files

    def unload(self):
        """Takes no more requests; the memory is given back when the last one that runs is answered."""
        self.state = ModelVersionStatus.UNLOADING
        self._drop_if_idle()

    @contextlib.contextmanager
    def use(self):
        """Keeps the version in memory while the block runs; yields its `Servable`."""
        self._users += 1
        try:
            yield self.servable
        finally:
            self._users -= 1
            self._drop_if_idle()

    def _drop_if_idle(self):
        if self.state == ModelVersionStatus.UNLOADING and not self._users:
            self.state, self.servable = ModelVersionStatus.END, None


class Model:
    """A model with its versions."""

    def __init__(self, config):
        self.config = config
        self.versions: dict[int, Version] = {}

    @property
    def available(self):
        """The versions that answer, newest first."""
        return sorted((v for v in self.versions.values() if v.available), key=lambda v: v.number, reverse=True)

    def version(self, target):
        """The `Version` that is meant, the newest where none is named; NOT_FOUND if it does not answer."""
        number = self._number(target)
        if number is None and self.available:
            return self.available[0]
        if number in self.versions and self.versions[number].available:
            return self.versions[number]
        asked = f"label {target.label}" if target.label else "version" if number is None else f"version {number}"
        there = ", ".join(str(version.number) for version in self.available) or "none"
        raise RequestError(
            Code.NOT_FOUND, f"Servable not found: {self.config.name} has no {asked} that answers. Versions: {there}."
        )

    def statuses(self, target):
        """The versions whose state is asked for, newest first; all of them where none is named."""
        number = self._number(target)
        asked = sorted(self.versions, reverse=True) if number is None else [number]
        if missing := [number for number in asked if number not in self.versions]:
            raise RequestError(Code.NOT_FOUND, f"{self.config.name} has no version {target.label or missing[0]}.")
        return [self.versions[number] for number in asked]

    def _number(self, target):
        return self.config.labels.get(target.label, -1) if target.label else target.version


class Models:
    """All models by name."""

    def __init__(self, configs):
        self.by_name = {config.name: Model(config) for config in configs}

    def version(self, target):
        """As `Model.version`, for the model that is meant."""
        return self._model(target).version(target)

    def statuses(self, target):
        """As `Model.statuses`, for the model that is meant."""
        return self._model(target).statuses(target)

    def _model(self, target):
        if target.name not in self.by_name:
            names = ", ".join(self.by_name)
            raise RequestError(Code.NOT_FOUND, f"Servable not found: no model {target.name[:100]!r}. Models: {names}.")
        return self.by_name[target.name]

    @property
    def ready(self):
        """Whether every model has a version that answers."""
        return all(model.available for model in self.by_name.values())
