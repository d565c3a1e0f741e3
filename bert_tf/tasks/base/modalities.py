"""Pictures, sounds and vectors beside a text: their settings, their files as tensors, and their layers."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.media.contents import column_contents
from bert_tf.media.images import check_image, decode_images, example_image
from bert_tf.media.sounds import check_sound, decode_sounds, example_sound
from bert_tf.media.vectors import check_vectors, decode_vectors, npy
from bert_tf.modeling.layers.modalities.image_backbone import ImageBackbone, backbone_grid
from bert_tf.modeling.layers.modalities.image_patches import CONVOLUTIONS, ImageConvolutions, ImagePatches
from bert_tf.modeling.layers.modalities.log_mel import HOP_SECONDS, LogMel, num_features

# N examples, T features of a modality, F width of a feature

NETWORKS = ("patches", "convolutions")
_CONVOLVED = 2 ** len(CONVOLUTIONS)  # pixels along the patch of a feature of `ImageConvolutions`


@dataclasses.dataclass(frozen=True)
class Image:
    """A picture as `size` x `size` pixels, in features of `patch` x `patch`; `network` makes them (`NETWORKS`).

    With a `backbone`, a Keras model from pixels to [N, rows, columns, F], that one makes them.
    """

    size: int
    patch: int
    network: str
    backbone: keras.Model | None = None

    name = "image"

    def __post_init__(self) -> None:
        if self.backbone is not None:
            backbone_grid(self.backbone, self.size)
            return
        if self.network not in NETWORKS:
            raise ConfigError(f"Received: image_network={self.network!r}. Choose from {', '.join(NETWORKS)}.")
        if self.network != "patches" and self.patch != _CONVOLVED:
            raise ConfigError(
                f"Received: image_patch={self.patch}. The features of image_network={self.network!r} are of "
                f"{_CONVOLVED} pixels: set image_patch={_CONVOLVED}."
            )
        if not 1 <= self.patch <= self.size or self.size % self.patch:
            raise ConfigError(
                f"Received: image_size={self.size}, image_patch={self.patch}. The size must be a multiple of the patch."
            )

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of features."""
        if self.backbone is not None:
            return backbone_grid(self.backbone, self.size)[:2]
        return self.size // self.patch, self.size // self.patch

    @property
    def width(self) -> int:
        """F."""
        if self.backbone is not None:
            return backbone_grid(self.backbone, self.size)[2]
        return 3 * self.patch**2 if self.network == "patches" else CONVOLUTIONS[-1]

    @property
    def spec(self) -> tf.TensorSpec:
        """The pixels that `decode` returns."""
        return tf.TensorSpec([None, self.size, self.size, 3], tf.uint8, name=self.name)

    def check(self, content: bytes) -> None:
        """Raises `InputError`, a predicate, for contents that are no picture."""
        check_image(content)

    def decode(self, contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Contents, string [N], as pixels, and the number of features that each has, int32 [N]; "" has none."""
        pixels, present = decode_images(contents, self.size)
        return pixels, tf.cast(present, tf.int32) * count_features(self)

    def make_layer(self, **kwargs: Any) -> keras.layers.Layer:
        """The layer from pixels to features [N, T, F]."""
        if self.backbone is not None:
            return ImageBackbone(self.backbone, **kwargs)
        return ImagePatches(self.patch, **kwargs) if self.network == "patches" else ImageConvolutions(**kwargs)

    def example(self) -> bytes:
        """The contents of a file, for examples and checks."""
        return example_image()


@dataclasses.dataclass(frozen=True)
class Audio:
    """The first `seconds` of a sound at `rate` samples a second, in features of `stack` frames of `bands` mel bands."""

    rate: int
    seconds: float
    bands: int
    stack: int

    name = "audio"

    def __post_init__(self) -> None:
        if not (self.rate >= 1000 and 0 < self.seconds * self.rate <= 2**24 and self.bands >= 1 and self.stack >= 1):
            raise ConfigError(
                f"Received: audio_rate={self.rate}, audio_seconds={self.seconds}, audio_bands={self.bands}, "
                f"audio_stack={self.stack}. Give at least 1000 samples a second, at most {2**24:,} samples, and a band "
                "and a frame at least."
            )

    @property
    def samples(self) -> int:
        """Samples that are read of a sound."""
        return round(self.rate * self.seconds)

    @property
    def grid(self) -> tuple[int, int]:
        """Features, and 1: they have one axis."""
        return num_features(self.samples, self.rate, self.stack), 1

    @property
    def width(self) -> int:
        """F."""
        return self.stack * self.bands

    @property
    def spec(self) -> tf.TensorSpec:
        """The samples that `decode` returns."""
        return tf.TensorSpec([None, self.samples], tf.int16, name=self.name)

    def check(self, content: bytes) -> None:
        """Raises `InputError`, a predicate, for contents that are no WAV of 16-bit PCM."""
        check_sound(content, self.rate)

    def decode(self, contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Contents, string [N], as samples, and the number of features that each has, int32 [N]; "" has none."""
        samples, lengths = decode_sounds(contents, self.rate, self.samples)
        return samples, -(-lengths // (self.stack * round(HOP_SECONDS * self.rate)))

    def make_layer(self, **kwargs: Any) -> keras.layers.Layer:
        """The layer from samples to features [N, T, F], which computes in float32."""
        kwargs.pop("dtype", None)
        return LogMel(self.rate, self.bands, self.stack, **kwargs)

    def example(self) -> bytes:
        """The contents of a file, for examples and checks."""
        return example_sound(self.rate)


@dataclasses.dataclass(frozen=True)
class Vectors:
    """The first `length` vectors of a file, of `size` numbers each: a feature each, taken as they are."""

    length: int
    size: int

    name = "vectors"

    def __post_init__(self) -> None:
        if not (1 <= self.length <= 2**16 and 1 <= self.size <= 2**16):
            raise ConfigError(
                f"Received: vectors_length={self.length}, vectors_size={self.size}. Each must be in 1 to {2**16:,}."
            )

    @property
    def grid(self) -> tuple[int, int]:
        """Features, and 1: they have one axis."""
        return self.length, 1

    @property
    def width(self) -> int:
        """F."""
        return self.size

    @property
    def spec(self) -> tf.TensorSpec:
        """The vectors that `decode` returns."""
        return tf.TensorSpec([None, self.length, self.size], tf.float32, name=self.name)

    def check(self, content: bytes) -> None:
        """Raises `InputError`, a predicate, for contents that are no .npy of float32 [T, F]."""
        check_vectors(content, self.size)

    def decode(self, contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Contents, string [N], as vectors, and the number that each has, int32 [N]; "" has none."""
        return decode_vectors(contents, self.size, self.length)

    def make_layer(self, **kwargs: Any) -> keras.layers.Layer:
        """The layer from vectors to features [N, T, F], which changes nothing."""
        return keras.layers.Identity(**kwargs)

    def example(self) -> bytes:
        """The contents of a file, for examples and checks."""
        return npy(np.linspace(-1, 1, self.size)[None])


def count_features(part: Image | Audio | Vectors) -> int:
    """T, of a modality."""
    rows, columns = part.grid
    return rows * columns


MODALITIES: dict[str, type] = {"image": Image, "audio": Audio, "vectors": Vectors}


class Modalities:
    """The modalities of a model, in order: names of columns, tensors from files, features from tensors.

    Each has columns of the features' width for itself, in which the others are 0: one kernel of the encoder is then a
    projection for each.

    Args:
        names: keys of `MODALITIES`.
        settings: {modality_field: value} for each field of theirs, such as image_size.
    """

    def __init__(self, names: Sequence[str], settings: Mapping[str, Any]):
        if not names or len(set(names)) < len(names) or not set(names) <= set(MODALITIES):
            raise ConfigError(f"Received: modalities={list(names)}. Choose from {', '.join(MODALITIES)}, each once.")
        self.names, self.parts = tuple(names), []
        for name in self.names:
            kind = MODALITIES[name]
            fields = {field.name: settings[f"{name}_{field.name}"] for field in dataclasses.fields(kind)}
            self.parts.append(kind(**fields))
        columns = tuple(tf.TensorSpec([None], tf.string, name=name) for name in self.names)
        self._decode = tf.function(self._decoded, input_signature=[columns], autograph=False)

    def encoder_settings(self) -> dict[str, Any]:
        """The fields of the encoder's config that these features need."""
        rows, columns = zip(*(part.grid for part in self.parts), strict=True)
        positions = (sum(rows), max(columns)) if max(columns) > 1 else (sum(rows),)
        width = sum(part.width for part in self.parts)
        return {"feature_size": width, "feature_positions": positions, "feature_types": len(self.parts)}

    def input_specs(self) -> dict[str, tf.TensorSpec]:
        """{name: spec} of the inputs of a model beside words: pixels or samples, and a mask of features [N, T]."""
        specs = {}
        for part in self.parts:
            specs[part.name] = part.spec
            mask = tf.TensorSpec([None, count_features(part)], tf.int32, name=f"{part.name}_mask")
            specs[mask.name] = mask
        return specs

    def contents(self, columns: Sequence[Any], required: bool) -> tuple[tf.Tensor, ...]:
        """Columns of paths or contents as string tensors [N]; a bad one raises `InputError` with its row."""
        found = []
        for part, column in zip(self.parts, columns, strict=True):
            found.append(column_contents(column, part.name, part.check, required))
        return tuple(found)

    def decode(self, contents: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
        """Contents, string [N] each, as the inputs of `input_specs`; TensorFlow ops only."""
        return self._decode(tuple(contents))

    def _decoded(self, contents: tuple[tf.Tensor, ...]) -> dict[str, tf.Tensor]:
        inputs = {}
        for part, column in zip(self.parts, contents, strict=True):
            inputs[part.name], counts = part.decode(column)
            inputs[f"{part.name}_mask"] = tf.sequence_mask(counts, count_features(part), tf.int32)
        return inputs

    def features(self, inputs: Mapping[str, Any], layers: Sequence[Any], kept: Any = None) -> dict[str, Any]:
        """The encoder's inputs of features, from those of `input_specs`.

        Args:
            layers: those of `make_layer`, in order.
            kept: [N, modalities], 0 where an example's modality is hidden; None: none is.
        """
        widths = [part.width for part in self.parts]
        vectors, masks, positions, types, row = [], [], [], [], 0
        for i, (part, layer) in enumerate(zip(self.parts, layers, strict=True)):
            raw = ops.reshape(inputs[part.name], (-1, *part.spec.shape[1:]))  # the shape may be unknown in a graph
            mask = inputs[f"{part.name}_mask"]  # [N, T]
            if kept is not None:
                mask = mask * ops.cast(kept[:, i : i + 1], mask.dtype)
            x = layer(raw)  # [N, T, F]
            vectors.append(ops.pad(x, ((0, 0), (0, 0), (sum(widths[:i]), sum(widths[i + 1 :])))))
            masks.append(mask)
            places = np.indices(part.grid).reshape(2, -1).T + [row, 0]  # [T, 2]
            positions.append(places)
            types.append(np.full(len(places), i))
            row += part.grid[0]
        axes = len(self.encoder_settings()["feature_positions"])
        place = np.concatenate(positions)[None, :, :axes].astype("int32")  # [1, T, A]
        count = ops.shape(vectors[0])[0]
        vectors = [ops.cast(x, vectors[0].dtype) for x in vectors]
        return {
            features.FEATURES: ops.concatenate(vectors, 1) if len(vectors) > 1 else vectors[0],
            features.FEATURE_MASK: ops.concatenate(masks, 1) if len(masks) > 1 else masks[0],
            features.FEATURE_POSITIONS: ops.tile(place, (count, 1, 1)),
            features.FEATURE_TYPES: ops.tile(np.concatenate(types)[None].astype("int32"), (count, 1)),
        }
