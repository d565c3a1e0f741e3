"""A task's model that reads pictures, sounds or vectors beside its text."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.modeling.layers.modalities.image_backbone import backbone_of, describe_backbone
from bert_tf.tasks.base.batching import select
from bert_tf.tasks.base.modalities import Modalities
from bert_tf.tasks.base.task import Task

# N examples, T features

# In config.json, of the same name on the model.
_SAVED = (
    *("modalities", "image_size", "image_patch", "image_network", "image_backbone"),
    *("audio_rate", "audio_seconds", "audio_bands", "audio_stack", "vectors_length", "vectors_size"),
)


class MultimodalTask(Task):
    """Comes before the class of a task with one text, whose encoder then attends to features of files too.

    The texts of a request are the text and a file for each modality: PNG or JPEG for "image", WAV of 16-bit PCM for
    "audio", NumPy's .npy of float32 [T, F] for "vectors"; in Python a path (str or `Path`) or contents (bytes). A file
    may be "" in inference.

    A subclass calls `build_files` in `build`, gives its preprocessor `files`, and adds `file_features` to the inputs of
    the encoder.

    Args:
        modalities: some of "image", "audio" and "vectors", in the order of their columns.
        image_size, image_patch, image_network: pixels along a picture and along the patch of a feature; "patches",
            which the encoder projects as ViLT does, or "convolutions" (`ImageConvolutions`).
        image_backbone: a Keras model from pixels, 0 to 255, [N, H, W, 3] to features [N, rows, columns, F], which then
            takes the place of patch and network; it is saved with the model (`ImageBackbone`).
        image_backbone_file: the same from a .keras file.
        audio_rate, audio_seconds, audio_bands, audio_stack: samples a second, seconds that are read, mel bands of a
            frame, and frames of a feature (`LogMel`).
        vectors_length, vectors_size: vectors that are read of a file, and F.
        args, others: as for the class of the task.

    Raises:
        ConfigError: a setting is impossible; or the encoder, if it is given, was made for other features.
    """

    def __init__(
        self,
        *args: Any,
        modalities: Sequence[str] = ("image",),
        image_size: int = 224,
        image_patch: int = 16,
        image_network: str = "patches",
        image_backbone: Any = None,
        image_backbone_file: Any = None,
        audio_rate: int = 16_000,
        audio_seconds: float = 4.0,
        audio_bands: int = 40,
        audio_stack: int = 4,
        vectors_length: int = 64,
        vectors_size: int = 64,
        **others: Any,
    ):
        self.modality_settings: dict[str, Any] = {
            "modalities": list(modalities),
            "image_size": image_size,
            "image_patch": image_patch,
            "image_network": image_network,
            "audio_rate": audio_rate,
            "audio_seconds": audio_seconds,
            "audio_bands": audio_bands,
            "audio_stack": audio_stack,
            "vectors_length": vectors_length,
            "vectors_size": vectors_size,
        }
        if image_backbone_file is not None and image_backbone is None:  # a saved model has its own
            image_backbone = image_backbone_file
        backbone = None if image_backbone is None else backbone_of(image_backbone)
        self.files = Modalities(modalities, self.modality_settings | {"image_backbone": backbone})
        if backbone is not None:
            self.modality_settings["image_backbone"] = describe_backbone(backbone)
        self.SPEC = dataclasses.replace(
            self.SPEC, texts=("text", *modalities), optional_texts=(), files=tuple(modalities)
        )
        if not isinstance(others.get("encoder"), keras.Model):
            others |= self.files.encoder_settings()
        super().__init__(*args, **others)
        for name, value in self.files.encoder_settings().items():
            if (found := getattr(self.config, name, None)) != value:
                raise ConfigError(f"Received an encoder with {name}={found}. These modalities need {name}={value}.")

    @property
    def INPUTS(self) -> tuple[str, ...]:
        """As `Task.INPUTS`, with the pixels or samples of each modality and their masks."""
        return (*features.ENCODER_INPUTS, *self.files.input_specs())

    @property
    def purpose(self) -> str:
        """As `Task.purpose`."""
        return type(self).SPEC.summary

    @property
    def spec_of_words(self) -> Any:
        """The `TaskSpec` without files, for the preprocessor."""
        return dataclasses.replace(self.SPEC, texts=("text",), files=())

    def build_files(self) -> None:
        """Makes the layers from files to features."""
        for part in self.files.parts:
            layer = part.make_layer(dtype=self.dtype_policy, name=f"{part.name}_features")
            layer.build(tuple(part.spec.shape))
            setattr(self, layer.name, layer)  # its name in the model's folder

    def file_features(self, inputs: dict, kept: Any = None) -> dict[str, Any]:
        """The encoder's inputs of features, from the inputs `INPUTS`; `kept` as for `Modalities.features`."""
        layers = [getattr(self, f"{name}_features") for name in self.files.names]
        return self.files.features(inputs, layers, kept)

    def weights_taken_from(self, checkpoint: Any, source: Any, settings: dict) -> dict[str, np.ndarray]:
        """As `Task.weights_taken_from`, with the networks of the modalities, whatever the head, where they fit."""
        networks = tuple(f"{name}_features/" for name in self.files.names)
        found = checkpoint.weights
        fits = {
            name: found[name]
            for name, variable in self.named_weights.items()
            if name.startswith(networks) and name in found and found[name].shape == tuple(variable.shape)
        }
        return super().weights_taken_from(checkpoint, source, settings) | fits

    def token_specs(self) -> dict[str, tf.TensorSpec]:
        """As `Task.token_specs`, with those of files and masks, int32 [N, T].

        Pixels are uint8 [N, H, W, 3], samples int16 [N, L], vectors float32 [N, T, F].
        """
        return super().token_specs() | self.files.input_specs()

    def example_inputs(self) -> dict[str, keras.KerasTensor]:
        """As `Task.example_inputs`, with those of the modalities."""
        specs = self.token_specs().items()
        return {name: keras.KerasTensor(tuple(spec.shape), spec.dtype.name, name=name) for name, spec in specs}

    def example_files(self) -> dict[str, bytes]:
        """As `Task.example_files`."""
        return {part.name: part.example() for part in self.files.parts}

    def task_settings(self) -> dict:
        """As the task's, with the settings of the modalities."""
        return super().task_settings() | self.modality_settings

    @classmethod
    def saved_settings(cls, task: dict, source: Any) -> dict:
        """As the task's, with the settings of the modalities."""
        return super().saved_settings(task, source) | select(task, _SAVED)
