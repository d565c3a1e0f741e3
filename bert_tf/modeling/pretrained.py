"""`from_pretrained` and `save_pretrained` for every model: its weights by name, in and out of a folder."""

import dataclasses

from absl import logging
from keras import ops

from bert_tf.core.errors import InputError
from bert_tf.modeling.train_step import DistributedSteps
from bert_tf.weights import Checkpoint, read_model, write_model


class Pretrained(DistributedSteps):
    """Mixed into a `keras.Model` that is an encoder or has one as `encoder`, with its settings as `config`.

    The constructor takes the fields of `EncoderConfig` and the arguments of its head. `source` is the checkpoint
    that the model was opened from, without the weights, or None: vocabulary and casing are saved again from there.
    `head_settings` names the settings of a checkpoint's task that the constructor takes and keeps as attributes.
    """

    source = None
    head_settings = ()

    @classmethod
    def from_pretrained(cls, folder, dtype=None, **head):
        """The model in `folder`, bert_tf's own or another project's; `head` are arguments of the model's head.

        A pooler or head that the folder lacks starts fresh, which one logged line says; a missing weight of the
        encoder, a wrong shape or a broken file raises `InputError`.
        """
        checkpoint = read_model(folder)
        saved = {name: checkpoint.task[name] for name in cls.head_settings if name in checkpoint.task}
        model = cls(dtype=dtype, **dataclasses.asdict(checkpoint.encoder), **(saved | head))
        model.assign(checkpoint.weights)
        model.source = dataclasses.replace(checkpoint, weights={})
        return model

    def save_pretrained(self, folder, tokenizer=None, task=None, overwrite=False):
        """Writes the model's folder: config.json, vocab.txt, and model.weights.h5, which `load_weights` opens too.

        `tokenizer` is anything with a `vocabulary` (list of pieces) and a `config` (`TextConfig`), `task` the settings
        of the head; both default to what the model was opened with. A folder that exists raises `InputError` unless
        `overwrite`.
        """
        write_model(self.to_checkpoint(tokenizer, task), folder, overwrite=overwrite)

    def to_checkpoint(self, tokenizer=None, task=None):
        """The model as a `Checkpoint` with float32 weights; arguments as for `save_pretrained`."""
        checkpoint = Checkpoint(self.config, self.to_weights())
        if self.source:
            checkpoint = dataclasses.replace(self.source, encoder=self.config, weights=checkpoint.weights)
        if tokenizer is not None:
            checkpoint = dataclasses.replace(checkpoint, vocabulary=tokenizer.vocabulary, text=tokenizer.config)
        task = checkpoint.task if task is None else task
        given = {name: getattr(self, name) for name in self.head_settings if getattr(self, name) is not None}
        return dataclasses.replace(checkpoint, task=task | given)

    def get_config(self):
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": self.dtype_policy.name,
            **dataclasses.asdict(self.config),
        }

    @property
    def named_weights(self):
        """Variables by their names in a checkpoint, "encoder/block_0/attention/query/kernel" and so on."""
        if not hasattr(self, "encoder"):
            return {f"encoder/{_path_inside(self, variable)}": variable for variable in self.weights}
        return {
            f"{'encoder' if layer is self.encoder else layer.name}/{_path_inside(layer, variable)}": variable
            for layer in self.layers
            for variable in layer.weights
        }

    def assign(self, weights):
        """Fills the variables from `weights`, name to array.

        A pooler or head that they lack stays fresh, which one logged line says; a missing weight of the encoder or a
        wrong shape raises `InputError`. Further arrays are heads of other tasks.
        """
        named = self.named_weights
        fresh = [name for name in named if name not in weights]
        missing = [name for name in fresh if name.startswith("encoder/") and not name.startswith("encoder/pooler/")]
        if missing:
            raise InputError(f"The checkpoint lacks {len(missing)} weights of the encoder: {', '.join(missing)}")
        for name in named.keys() - set(fresh):
            if tuple(named[name].shape) != weights[name].shape:
                wanted = tuple(named[name].shape)
                raise InputError(f"{name} has shape {weights[name].shape}; the model needs {wanted}.")
            named[name].assign(weights[name])
        if fresh:
            parts = sorted({name.rsplit("/", 1)[0] for name in fresh})
            logging.warning("The checkpoint has no %s: there the model starts fresh.", ", ".join(parts))

    def to_weights(self):
        """The variables as name to float32 array, as `assign` takes them."""
        return {name: ops.convert_to_numpy(variable).astype("float32") for name, variable in self.named_weights.items()}


def _path_inside(layer, variable):
    """The variable's path below `layer`, whatever the layer is called and whatever encloses it."""
    return f"/{variable.path}".rsplit(f"/{layer.name}/", 1)[1]
