"""`from_pretrained` for every model: opens any folder that `checkpoints` reads and fills the model's weights."""

import dataclasses

import numpy as np

from bert_tf import checkpoints
from bert_tf.errors import InputError


class Pretrained:
    """Mixed into a `keras.Model` whose constructor takes the fields of `EncoderConfig`."""

    @classmethod
    def from_pretrained(cls, folder, dtype=None):
        """The model in `folder`: bert_tf's own or another project's; missing weights raise `InputError`."""
        checkpoint = checkpoints.read(folder)
        model = cls(dtype=dtype, **dataclasses.asdict(checkpoint.encoder))
        model.assign(checkpoint.weights)
        return model

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
        names = {}
        for variable in self.weights:
            start = variable.path.find("encoder/")
            name = variable.path[start:] if start >= 0 else variable.path.removeprefix(self.name + "/")
            if "seed_generator" not in name:
                names[name] = variable
        return names

    def assign(self, weights):
        """Fills every variable from `weights`, name to array; further arrays are heads of other tasks and stay."""
        named = self.named_weights
        if missing := [name for name in named if name not in weights]:
            raise InputError(f"The checkpoint lacks {len(missing)} weights of this model: {', '.join(missing[:4])}")
        for name, variable in named.items():
            if tuple(variable.shape) != weights[name].shape:
                raise InputError(f"{name} has shape {weights[name].shape}; the model needs {tuple(variable.shape)}.")
            variable.assign(weights[name])

    def to_weights(self):
        """The variables as name to float32 array, as `assign` takes them."""
        return {name: np.asarray(variable, "float32") for name, variable in self.named_weights.items()}
