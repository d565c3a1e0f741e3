"""`from_pretrained` and `save_pretrained` for every model: its weights by name, in and out of a folder."""

import dataclasses

from absl import logging
from keras import ops

from bert_tf import checkpoints
from bert_tf.config import TextConfig
from bert_tf.errors import InputError


class Pretrained:
    """Mixed into a `keras.Model` that is an encoder or has one as `encoder`, with its settings as `config`.

    The constructor takes the fields of `EncoderConfig` and the arguments of its head. `source` is the checkpoint
    that the model was opened from, without the weights, or None: vocabulary and casing are saved again from there.
    """

    source = None

    @classmethod
    def from_pretrained(cls, folder, dtype=None, **head):
        """The model in `folder`, bert_tf's own or another project's; `head` are arguments of the model's head.

        A pooler or head that the folder lacks starts fresh, which one logged line says; a missing weight of the
        encoder, a wrong shape or a broken file raises `InputError`.
        """
        checkpoint = checkpoints.read(folder)
        model = cls(dtype=dtype, **dataclasses.asdict(checkpoint.encoder), **head)
        if fresh := model.assign(checkpoint.weights):
            logging.warning("%s has no %s: fresh weights are trained from here.", folder, ", ".join(_parts(fresh)))
        model.source = dataclasses.replace(checkpoint, weights={})
        return model

    def save_pretrained(self, folder, vocabulary=None, text=None, overwrite=False):
        """Writes the model's folder: config.json, vocab.txt, and model.weights.h5, which `load_weights` opens too.

        `vocabulary` (a list of pieces) and `text` (a `TextConfig`) default to those the model was opened with.
        A folder that exists raises `InputError` unless `overwrite`.
        """
        checkpoint = self.to_checkpoint()
        if vocabulary is not None:
            checkpoint = dataclasses.replace(checkpoint, vocabulary=vocabulary)
        if text is not None:
            checkpoint = dataclasses.replace(checkpoint, text=text)
        checkpoints.write(checkpoint, folder, overwrite=overwrite)

    def to_checkpoint(self):
        """The model as a `Checkpoint`, float32."""
        text = self.source.text if self.source else TextConfig()
        vocabulary = self.source.vocabulary if self.source else None
        return checkpoints.Checkpoint(self.config, self.to_weights(), text, vocabulary, self.task_settings)

    @property
    def task_settings(self):
        """What config.json says of the head, {} for an encoder or pretrainer; task models override it."""
        return {}

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
        """Fills the variables from `weights`, name to array, and returns the names that it lacks, which stay.

        Only a pooler or a head may be missing: an encoder's weight, or a wrong shape, raises `InputError`. Further
        arrays are heads of other tasks.
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
        return fresh

    def to_weights(self):
        """The variables as name to float32 array, as `assign` takes them."""
        return {name: ops.convert_to_numpy(variable).astype("float32") for name, variable in self.named_weights.items()}


def _path_inside(layer, variable):
    """The variable's path below `layer`, whatever the layer is called and whatever encloses it."""
    return f"/{variable.path}".rsplit(f"/{layer.name}/", 1)[1]


def _parts(names):
    return sorted({name.rsplit("/", 1)[0] for name in names})
