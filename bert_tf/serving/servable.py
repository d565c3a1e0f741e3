"""One version of a model in memory: an opened SavedModel and its signatures."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  (registers the ops of the tokenizer)
from tensorflow.core.protobuf import saved_model_pb2

from bert_tf.core import files
from bert_tf.core.errors import InputError
from bert_tf.core.saved_model_folders import read_labels
from bert_tf.serving.status import invalid

_CARD, _MAX_CARD_BYTES = "assets.extra/bert_tf.json", 1 << 20  # the export writes it


@dataclasses.dataclass(frozen=True, eq=False)
class Signature:
    """A function of the graph from named tensors to named tensors."""

    name: str
    function: Callable[..., Any]
    inputs: dict[str, tf.TensorSpec]
    outputs: dict[str, tf.TensorSpec]

    @property
    def joins_rows(self) -> bool:
        """Whether rows of several requests can run as one batch: every tensor has a free first axis."""
        specs = [*self.inputs.values(), *self.outputs.values()]
        return all(spec.shape.rank and spec.shape[0] is None for spec in specs)

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs the function; inputs and outputs are {name: array}, strings are bytes in object arrays."""
        tensors = {name: tf.constant(value, self.inputs[name].dtype) for name, value in inputs.items()}
        answers = self.function(**tensors)
        return {name: answers[name].numpy() for name in self.outputs}


class Servable:
    """A SavedModel in memory; a folder that cannot be opened raises `InputError`.

    Attributes:
        signature_defs: {name: SignatureDef}, for the metadata.
        labels: names of the classes, [] without.
        card: {"summary": what the model does, "example": {input: text, or texts}} for the page, {} without.
        signatures: {name: `Signature`}.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = pathlib.Path(path)
        self.signature_defs = _read_signature_defs(self.path)
        self.labels = read_labels(self.path)
        self.card = _read_card(self.path / _CARD)
        try:
            self._model = tf.saved_model.load(str(self.path))  # keeps the variables alive
        except Exception as error:  # a damaged graph can make the loader raise anything
            raise InputError(f"{self.path} cannot be opened as a SavedModel: {_first_line(error)}") from error
        self.signatures: dict[str, Signature] = {}
        for name, proto in self.signature_defs.items():
            if name in self._model.signatures:
                function = self._model.signatures[name]
                self.signatures[name] = Signature(name, function, _specs(proto.inputs), _specs(proto.outputs))

    def signature(self, name: str) -> Signature:
        """The `Signature` called `name`; "" means serving_default, as in TF Serving."""
        name = name or "serving_default"
        if name not in self.signatures:
            raise invalid(f"Received: signature_name={name!r}. Signatures: {', '.join(sorted(self.signatures))}.")
        return self.signatures[name]


def _read_card(path: pathlib.Path) -> dict[str, Any]:
    """The card of the page; {} without one."""
    card = files.read_json(path, _MAX_CARD_BYTES) if path.is_file() else {}
    return card if isinstance(card, dict) else {}


def _read_signature_defs(path: pathlib.Path) -> dict[str, Any]:
    """{name: SignatureDef} of the graph tagged "serve"."""
    file = path / "saved_model.pb"
    if not file.is_file():
        raise InputError(f"{path} has no saved_model.pb.")
    proto = saved_model_pb2.SavedModel()
    try:
        proto.ParseFromString(file.read_bytes())
    except Exception as error:
        raise InputError(f"{file} is damaged: {_first_line(error)}") from error
    for graph in proto.meta_graphs:
        if tf.saved_model.SERVING in graph.meta_info_def.tags:
            # "__saved_model_init_op" is kept as a signature, but is none that a client can call.
            return {name: proto for name, proto in graph.signature_def.items() if not name.startswith("__")}
    raise InputError(f'{file} has no graph tagged "serve".')


def _specs(tensors: Mapping[str, Any]) -> dict[str, tf.TensorSpec]:
    specs = {}
    for name, info in sorted(tensors.items()):
        specs[name] = tf.TensorSpec(tf.TensorShape(info.tensor_shape), tf.as_dtype(info.dtype), name)
    return specs


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
