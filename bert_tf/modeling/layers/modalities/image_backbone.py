"""A Keras model of the user as the network that makes features of pictures."""

import json
from typing import Any

import keras
from keras import ops

from bert_tf.core.errors import ConfigError

# N pictures, H height, W width, R rows and C columns of features, F width of a feature


def backbone_of(given: Any) -> keras.Model:
    """The backbone itself, or the one in a .keras file or in a description by `describe_backbone`.

    Raises:
        ConfigError: it cannot be read; Keras refuses Python code in files.
    """
    if isinstance(given, keras.Model):
        return given
    try:
        if isinstance(given, dict):
            return keras.models.model_from_json(json.dumps(given))
        return keras.models.load_model(given, compile=False)
    except (OSError, TypeError, ValueError) as error:
        source = "of the model's folder" if isinstance(given, dict) else given
        raise ConfigError(f"The backbone {source} cannot be read: {str(error).strip().splitlines()[0]}") from None


def describe_backbone(backbone: keras.Model) -> dict[str, Any]:
    """The architecture as JSON values, without weights."""
    return json.loads(backbone.to_json())


def backbone_grid(backbone: keras.Model, size: int) -> tuple[int, int, int]:
    """R, C and F of pictures of `size` x `size` pixels; another output than [N, R, C, F] raises `ConfigError`."""
    try:
        shape = backbone.compute_output_shape((None, size, size, 3))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"The backbone {backbone.name} does not take pixels [N, {size}, {size}, 3]: {str(error).splitlines()[0]}"
        ) from None
    if not isinstance(shape, tuple) or len(shape) != 4 or None in shape[1:]:
        raise ConfigError(
            f"The backbone {backbone.name} returns {shape}. It must return features [N, rows, columns, F]."
        )
    return shape[1:]


@keras.saving.register_keras_serializable("bert_tf")
class ImageBackbone(keras.layers.Layer):
    """Pixels to the features of a Keras model: [N, H, W, 3] to [N, R C, F].

    The model gets pixels from 0 to 255 as numbers: what they have to become is a layer of its own, `Rescaling` for
    instance.

    Args:
        backbone: as for `backbone_of`. The layer has a copy of it, with its weights.
    """

    def __init__(self, backbone: Any, **kwargs: Any):
        super().__init__(**kwargs)
        given = backbone_of(backbone)
        # Not the model itself: Keras would take it for a layer of this one.
        self._architecture, self._start = given.to_json(), given.get_weights() if given.built else []

    def build(self, input_shape: Any = None) -> None:
        """Makes the copy; its weights are named below this layer."""
        with keras.name_scope("backbone"):
            self.backbone = keras.models.model_from_json(self._architecture)
            if not self.backbone.built:
                self.backbone.build(input_shape)
        if self._start:
            self.backbone.set_weights(self._start)
        self._start = []

    def call(self, image: Any, training: bool | None = None) -> Any:
        """Pixels, 0 to 255 of any type, [N, H, W, 3], to features [N, R C, F]."""
        x = self.backbone(ops.cast(image, self.compute_dtype), training=training)  # [N, R, C, F]
        return ops.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3]))

    def get_config(self) -> dict[str, Any]:
        """As Keras's, with the architecture."""
        return super().get_config() | {"backbone": json.loads(self._architecture)}
