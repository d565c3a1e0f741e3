"""`from_pretrained` and `save_pretrained` for every model: its weights by name, from and to a folder."""

import dataclasses
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from absl import logging

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.core.registry import families
from bert_tf.modeling.layer_changes import apply_changes, changes_of, effective_value, own_variables, set_value
from bert_tf.modeling.layers.encoder_inputs import complete_inputs
from bert_tf.modeling.train_step import DistributedSteps
from bert_tf.weights import Checkpoint, read_model, write_model
from bert_tf.weights.schema import check_range

_DISPENSABLE = ("encoder/pooler/", "encoder/feature_embeddings/")


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
        cls = cls.class_for(checkpoint)
        for name in cls.head_settings:
            if name in checkpoint.task:
                head.setdefault(name, checkpoint.task[name])
        model = cls(dtype=dtype, **cls.settings_of(checkpoint), **head)
        model.assign(checkpoint.weights)
        # Only vocabulary, casing and head settings are of use later; the weights would double the memory.
        model.source = dataclasses.replace(checkpoint, weights={})
        return model

    @classmethod
    def class_for(cls, checkpoint: Checkpoint) -> type[Self]:
        """The class that opens a checkpoint; a class for several families chooses."""
        del checkpoint
        return cls

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

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor, and "layers": what was changed in them since, by `changes_of`."""
        policy = self.dtype_policy
        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": policy.name if type(policy) is keras.DTypePolicy else keras.dtype_policies.serialize(policy),
            **self.encoder_config(),
        }
        if changes := changes_of(self):
            config["layers"] = changes
        return config

    def encoder_config(self) -> dict[str, Any]:
        """The part of `get_config` that describes the encoder."""
        return {"encoder": keras.saving.serialize_keras_object(self.encoder)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The model that `get_config` describes, with new weights."""
        config = dict(config)
        changes = config.pop("layers", {})
        if isinstance(config.get("encoder"), dict):
            config["encoder"] = keras.saving.deserialize_keras_object(config["encoder"])
        model = cls(**config)
        if any(map(_lacks_variables, model._flatten_layers())):  # those that a subclass added
            model(model.example_inputs())
        apply_changes(model, changes)
        return model

    def example_inputs(self) -> dict[str, keras.KerasTensor]:
        """Symbolic inputs of any batch and length, int32 [B, S] each."""
        return {name: keras.KerasTensor((None, None), "int32", name=name) for name in features.ENCODER_INPUTS}

    def export(
        self,
        filepath: str | Path,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """As Keras's: the numbers that `call` takes and returns. `bert-tf export` makes a model that reads texts."""
        super().export(filepath, format, verbose, input_signature or [self.example_inputs()], **kwargs)

    def make_encoder(self, encoder: Any, settings: dict[str, Any]) -> Any:
        """The encoder itself, or a new one from the name of its family and its `settings`."""
        if isinstance(encoder, Pretrained):
            return encoder
        return families()[encoder].encoder(name="encoder", dtype=self.dtype_policy, **settings)

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """As Keras's; inputs are a dict of tensors, in which the mask and the segments may be missing."""
        return super().__call__(complete_inputs(inputs, self.config.padding_id), *args, **kwargs)

    def _lock_state(self) -> None:
        # Keras locks a layer when it is built, which here is in its constructor: subclasses could add no layers.
        pass

    @property
    def named_weights(self) -> dict[str, keras.Variable]:
        """Variables by their names in a checkpoint, "encoder/block_0/attention/query/kernel" and so on."""
        return {name: variable for name, (variable, _) in self._owned_weights().items()}

    @property
    def parts(self) -> list[keras.layers.Layer]:
        """The layers whose weights are in the model's folder: the encoder and the heads."""
        return self.layers

    def _owned_weights(self):
        """{name: (variable, the layer it belongs to)}; see `named_weights`."""
        if not hasattr(self, "encoder"):  # the model is an encoder
            return _named_below("encoder", self)
        named = {}
        for layer in self.parts:
            part = "encoder" if layer is self.encoder else layer.name
            named |= _named_below(part, layer)
        return named

    def assign(self, weights: dict[str, np.ndarray]) -> None:
        """Sets the variables from `weights`, {name: array}; arrays of other tasks' heads are ignored.

        A pooler or head that they lack stays fresh, which one logged line says. A missing weight of the encoder, a
        wrong shape, or a number that is too large for the model's dtype raises `InputError`.
        """
        named = self._owned_weights()
        fresh = [name for name in named if name not in weights]
        # Dispensable are the pooler, which tasks on tokens do not use and some projects do not save, and the embeddings
        # of features, which an encoder of words gets when it learns of other modalities.
        missing = [name for name in fresh if name.startswith("encoder/") and not name.startswith(_DISPENSABLE)]
        if missing:
            raise InputError(f"The checkpoint lacks {len(missing)} weights of the encoder: {', '.join(missing)}")
        for name in named.keys() & weights.keys():
            # Heads compute in the type of their weights.
            check_range(name, weights[name], self.compute_dtype if name.startswith("encoder/") else self.variable_dtype)
        for name in named.keys() - set(fresh):
            wanted = tuple(named[name][0].shape)
            if weights[name].shape != wanted:
                raise InputError(f"{name} has shape {weights[name].shape}; the model needs {wanted}.")
            set_value(*named[name], weights[name])
        if fresh:
            parts = sorted({name.rsplit("/", 1)[0] for name in fresh})
            logging.warning("Not taken from the checkpoint, so the model starts with fresh ones: %s.", ", ".join(parts))

    def to_weights(self) -> dict[str, np.ndarray]:
        """The weights that the model computes with, {name: float32 array}, for `assign`; see `effective_value`."""
        return {name: effective_value(*owned) for name, owned in self._owned_weights().items()}


def unique_name(prefix: str) -> str:
    """`prefix`, with a number from the second time on, because a functional model takes each name once."""
    number = keras.backend.get_uid(prefix) - 1
    return f"{prefix}_{number}" if number else prefix


def _named_below(part, layer):
    """{name: (variable, its layer)} of the variables of `layer`, which the names call `part`."""
    return {f"{part}/{_path_inside(layer, variable)}": (variable, owner) for variable, owner in own_variables(layer)}


def _lacks_variables(layer):
    """Whether a layer makes variables when it is built, and is not built yet."""
    return not layer.built and not getattr(layer.build, "_is_default", False)


def _path_inside(layer, variable):
    """The variable's path below `layer`, whatever the layer is called and whatever contains it."""
    return f"/{variable.path}".rsplit(f"/{layer.name}/", 1)[1]
