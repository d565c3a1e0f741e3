"""`from_pretrained` and `save_pretrained` for every model: its weights by name, from and to a folder."""

import dataclasses
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from absl import logging
from keras import ops

from bert_tf.core.errors import InputError
from bert_tf.modeling.train_step import DistributedSteps
from bert_tf.weights import Checkpoint, read_model, write_model
from bert_tf.weights.schema import check_range


class Pretrained(DistributedSteps):
    """Mixed into a `keras.Model` that is an encoder or has one as `encoder`; its settings are `config`.

    The constructor takes `encoder`, the name of the encoder's family, the fields of that family's config, and the
    arguments of the model's head.

    Attributes:
        source: the checkpoint that the model was opened from, without its weights, or None: vocabulary and casing are
            saved again from there.
        head_settings: names of settings in `Checkpoint.task` that the constructor takes and keeps as attributes.
    """

    source: Checkpoint | None = None
    head_settings: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """Name of the encoder's family."""
        return self.encoder.family

    @classmethod
    def from_pretrained(cls, folder: str | Path, dtype: Any = None, **head: Any) -> Self:
        """The model in `folder`, bert_tf's own or another project's; `head` are arguments of the model's head.

        A pooler or head that the folder lacks starts fresh, which one logged line says. A missing weight of the
        encoder, a wrong shape or a broken file raises `InputError`.
        """
        checkpoint = read_model(folder)
        for name in cls.head_settings:
            if name in checkpoint.task:
                head.setdefault(name, checkpoint.task[name])
        model = cls(dtype=dtype, **cls.settings_of(checkpoint), **head)
        model.assign(checkpoint.weights)
        # Only vocabulary, casing and head settings are of use later; the weights would double the memory.
        model.source = dataclasses.replace(checkpoint, weights={})
        return model

    @classmethod
    def settings_of(cls, checkpoint: Checkpoint) -> dict[str, Any]:
        """Arguments of the constructor for the encoder of a checkpoint."""
        return {"encoder": checkpoint.family, **dataclasses.asdict(checkpoint.encoder)}

    def save_pretrained(
        self, folder: str | Path, tokenizer: Any = None, task: dict[str, Any] | None = None, overwrite: bool = False
    ) -> None:
        """Writes the model's folder: config.json, vocab.txt, and model.weights.h5, which `load_weights` opens too.

        Args:
            folder: one that exists raises `InputError` unless `overwrite`.
            tokenizer: anything with a `vocabulary` (list of tokens) and a `config` (`TextConfig`); None: that of the
                folder that the model was opened from.
            task: settings of the head; None: those that the model was opened with.
            overwrite: whether a folder that holds a model is replaced.
        """
        write_model(self.to_checkpoint(tokenizer, task), folder, overwrite=overwrite)

    def to_checkpoint(self, tokenizer: Any = None, task: dict[str, Any] | None = None) -> Checkpoint:
        """The model as a `Checkpoint` with float32 weights; arguments as for `save_pretrained`."""
        checkpoint = Checkpoint(self.family, self.config, self.to_weights())
        if self.source:
            checkpoint = dataclasses.replace(self.source, encoder=self.config, weights=checkpoint.weights)
        if tokenizer is not None:
            checkpoint = dataclasses.replace(checkpoint, vocabulary=tokenizer.vocabulary, text=tokenizer.config)
        task = dict(checkpoint.task if task is None else task)
        for name in self.head_settings:
            value = getattr(self, name)
            if value is not None:
                task[name] = value
        return dataclasses.replace(checkpoint, task=task)

    def constructor_settings(self) -> dict[str, Any]:
        """Arguments of the constructor that make such an encoder again."""
        return {"encoder": self.family, **dataclasses.asdict(self.config)}

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor, for Keras's serialization."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": self.dtype_policy.name,
            **self.constructor_settings(),
        }

    @property
    def named_weights(self) -> dict[str, keras.Variable]:
        """Variables by their names in a checkpoint, "encoder/block_0/attention/query/kernel" and so on."""
        if not hasattr(self, "encoder"):  # the model is an encoder
            return _named_below("encoder", self)
        named: dict[str, keras.Variable] = {}
        for layer in self.layers:
            part = "encoder" if layer is self.encoder else layer.name
            named |= _named_below(part, layer)
        return named

    def assign(self, weights: dict[str, np.ndarray]) -> None:
        """Sets the variables from `weights`, {name: array}; arrays of other tasks' heads are ignored.

        A pooler or head that they lack stays fresh, which one logged line says. A missing weight of the encoder, a
        wrong shape, or a number that is too large for the model's dtype raises `InputError`.
        """
        named = self.named_weights
        fresh = [name for name in named if name not in weights]
        # Only the pooler is dispensable: tasks on tokens do not use it, and some projects do not save it.
        missing = [name for name in fresh if name.startswith("encoder/") and not name.startswith("encoder/pooler/")]
        if missing:
            raise InputError(f"The checkpoint lacks {len(missing)} weights of the encoder: {', '.join(missing)}")
        for name in named.keys() & weights.keys():
            # Heads compute in the type of their weights.
            check_range(name, weights[name], self.compute_dtype if name.startswith("encoder/") else self.variable_dtype)
        for name in named.keys() - set(fresh):
            wanted = tuple(named[name].shape)
            if weights[name].shape != wanted:
                raise InputError(f"{name} has shape {weights[name].shape}; the model needs {wanted}.")
            named[name].assign(weights[name])
        if fresh:
            parts = sorted({name.rsplit("/", 1)[0] for name in fresh})
            logging.warning("Not taken from the checkpoint, so the model starts with fresh ones: %s.", ", ".join(parts))

    def to_weights(self) -> dict[str, np.ndarray]:
        """The variables as {name: float32 array}, as `assign` takes them."""
        weights = {}
        for name, variable in self.named_weights.items():
            weights[name] = ops.convert_to_numpy(variable).astype("float32")
        return weights


def _named_below(part, layer):
    """{name: variable} of the variables of a layer, which the names call `part`."""
    return {f"{part}/{_path_inside(layer, variable)}": variable for variable in layer.weights}


def _path_inside(layer, variable):
    """The variable's path below `layer`, whatever the layer is called and whatever contains it."""
    return f"/{variable.path}".rsplit(f"/{layer.name}/", 1)[1]
