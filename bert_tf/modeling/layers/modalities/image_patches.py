"""Pixels as one feature per patch: the patches themselves, or what a few convolutions make of them."""

import itertools
from typing import Any

import keras
from keras import ops

# N pictures, H height, W width, P pixels along a patch, T = (H / P) (W / P) patches, F width of a feature

CONVOLUTIONS = (16, 32, 64, 64)  # channels; each halves height and width
_GROUPS = 8  # of channels


def normalized(image: Any, dtype: Any) -> Any:
    """Pixels from 0 to 255 as numbers from -1 to 1, as ViLT's (mean and deviation 0.5)."""
    return ops.cast(image, dtype) / 127.5 - 1.0


@keras.saving.register_keras_serializable("bert_tf")
class ImagePatches(keras.layers.Layer):
    """Square patches, row by row: [N, H, W, 3] to [N, T, 3 P P]; the encoder projects them (Kim et al. 2021, 3.1).

    Args:
        patch: P, which divides H and W.
    """

    def __init__(self, patch: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.patch = patch

    def call(self, image: Any) -> Any:
        """Pixels, 0 to 255 of any type, [N, H, W, 3], to patches [N, T, 3 P P]."""
        size, (height, width) = self.patch, image.shape[1:3]
        rows, columns = height // size, width // size
        x = ops.reshape(normalized(image, self.compute_dtype), (-1, rows, size, columns, size * 3))
        x = ops.transpose(x, (0, 1, 3, 2, 4))  # [N, H / P, W / P, P, 3 P]
        return ops.reshape(x, (-1, rows * columns, size * size * 3))


@keras.saving.register_keras_serializable("bert_tf")
class ImageConvolutions(keras.layers.Layer):
    """Four convolutions of 3 x 3 with stride 2: [N, H, W, 3] to [N, T, 64] for patches of 16 pixels.

    Each is followed by group normalization (Wu & He 2018), without which shapes are learned slowly at the rates that
    transformers need, and ReLU.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        for i, channels in enumerate(CONVOLUTIONS):
            layer = keras.layers.Conv2D(
                channels,
                3,
                strides=2,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
                dtype=self.dtype_policy,
                name=f"conv_{i}",
            )
            setattr(self, f"conv_{i}", layer)
            norm = keras.layers.GroupNormalization(_GROUPS, dtype=self.dtype_policy, name=f"norm_{i}")
            setattr(self, f"norm_{i}", norm)

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables; their shapes do not depend on the inputs."""
        for i, (before, channels) in enumerate(itertools.pairwise((3, *CONVOLUTIONS))):
            getattr(self, f"conv_{i}").build((None, None, None, before))
            getattr(self, f"norm_{i}").build((None, None, None, channels))

    def call(self, image: Any) -> Any:
        """Pixels, 0 to 255 of any type, [N, H, W, 3], to features [N, T, 64]."""
        x = normalized(image, self.compute_dtype)
        for i in range(len(CONVOLUTIONS)):
            x = getattr(self, f"norm_{i}")(getattr(self, f"conv_{i}")(x))  # [N, H / 2^(i + 1), W / 2^(i + 1), channels]
            x = ops.relu(x)
        return ops.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3]))
