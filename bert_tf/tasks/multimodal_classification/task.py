"""Classification of a text with a picture, a sound, or both (Kiela et al. 2019; Kim et al. 2021)."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.modeling.layers.dropout import Dropout
from bert_tf.tasks.base.batching import select
from bert_tf.tasks.base.modalities import Modalities
from bert_tf.tasks.classification.task import TextClassifier
from bert_tf.tasks.multimodal_classification import SPEC
from bert_tf.tasks.multimodal_classification.preprocessor import MultimodalClassificationPreprocessor

# N examples, M modalities, T features, C classes

# In config.json, of the same name on the model.
_SAVED = (
    *("modalities", "modality_dropout", "image_size", "image_patch", "image_network"),
    *("audio_rate", "audio_seconds", "audio_bands", "audio_stack"),
)


@keras.saving.register_keras_serializable("bert_tf")
class MultimodalClassifier(TextClassifier):
    """A classifier whose encoder attends to patches of a picture and frames of a sound beside the words.

    The texts of a request are the text and a file for each modality: PNG or JPEG for "image", WAV of 16-bit PCM for
    "audio"; in Python a path (str or `Path`) or contents (bytes). In inference a file may be left out, or be "".

    Args:
        modalities: "image", "audio" or both, in the order of their columns.
        modality_dropout: share of the examples of which a picture or sound is hidden in training, each for itself, so
            that the model learns to answer without.
        image_size, image_patch, image_network: pixels along a picture and along the patch of a feature; "patches",
            which the encoder projects as ViLT does, or "convolutions" (`ImageConvolutions`).
        audio_rate, audio_seconds, audio_bands, audio_stack: samples a second, seconds that are read, mel bands of a
            frame, and frames of a feature (`LogMel`).
        Others: as for `TextClassifier`; longer texts are truncated.

    Raises:
        ConfigError: a setting is impossible; or the encoder, if it is given, was made for other features.
    """

    SPEC = SPEC
    preprocessor: MultimodalClassificationPreprocessor

    def __init__(
        self,
        tokenizer: Any,
        labels: Sequence[str] = (),
        max_length: int | None = None,
        problem_type: str = "single_label_classification",
        pooling: str = "cls",
        modalities: Sequence[str] = ("image",),
        modality_dropout: float = 0.0,
        image_size: int = 224,
        image_patch: int = 16,
        image_network: str = "patches",
        audio_rate: int = 16_000,
        audio_seconds: float = 4.0,
        audio_bands: int = 40,
        audio_stack: int = 4,
        **encoder: Any,
    ):
        settings: dict[str, Any] = {
            "modalities": list(modalities),
            "modality_dropout": modality_dropout,
            "image_size": image_size,
            "image_patch": image_patch,
            "image_network": image_network,
            "audio_rate": audio_rate,
            "audio_seconds": audio_seconds,
            "audio_bands": audio_bands,
            "audio_stack": audio_stack,
        }
        if not 0 <= modality_dropout < 1:
            raise ConfigError(f"Received: modality_dropout={modality_dropout}. It must be in [0, 1).")
        self.modality_settings, self.files = settings, Modalities(modalities, settings)
        self.SPEC = dataclasses.replace(SPEC, texts=("text", *modalities), optional_texts=(), files=tuple(modalities))
        if not isinstance(encoder.get("encoder"), keras.Model):
            encoder |= self.files.encoder_settings()
        super().__init__(tokenizer, labels, max_length, problem_type, pooling, **encoder)
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
        return SPEC.summary

    def make_preprocessor(self, stride: int | None) -> MultimodalClassificationPreprocessor:
        """As `TextClassifier.make_preprocessor`, with files."""
        words = dataclasses.replace(self.SPEC, texts=("text",), files=())
        preprocessor = MultimodalClassificationPreprocessor(
            words, self.tokenizer, self.max_length, stride, self.problem
        )
        preprocessor.modalities = self.files
        return preprocessor

    def build(self, input_shape: Any = None) -> None:
        """Makes the layers of the modalities, and the weights of the head."""
        self.hide = Dropout(self.modality_settings["modality_dropout"], dtype="float32", name="hide")
        for part in self.files.parts:
            layer = part.make_layer(dtype=self.dtype_policy, name=f"{part.name}_features")
            layer.build(tuple(part.spec.shape))
            setattr(self, layer.name, layer)  # its name in the model's folder
        super().build(input_shape)

    def call(self, inputs: dict, training: bool | None = None) -> Any:
        """The inputs `INPUTS` to logits, float32 [N, C]."""
        kept = None
        if training and self.hide.rate:
            shape = (ops.shape(inputs[features.INPUT_IDS])[0], len(self.files.parts))
            kept = self.hide(ops.ones(shape), training=True) > 0  # [N, M]
        layers = [getattr(self, f"{name}_features") for name in self.files.names]
        words = {name: inputs[name] for name in features.ENCODER_INPUTS}
        return super().call(words | self.files.features(inputs, layers, kept), training=training)

    def token_specs(self) -> dict[str, tf.TensorSpec]:
        """As `Task.token_specs`, with pixels, uint8 [N, H, W, 3], samples, int16 [N, L], and masks, int32 [N, T]."""
        return super().token_specs() | self.files.input_specs()

    def example_inputs(self) -> dict[str, keras.KerasTensor]:
        """As `Task.example_inputs`, with those of the modalities."""
        specs = self.token_specs().items()
        return {name: keras.KerasTensor(tuple(spec.shape), spec.dtype.name, name=name) for name, spec in specs}

    def example_files(self) -> dict[str, bytes]:
        """As `Task.example_files`."""
        return {part.name: part.example() for part in self.files.parts}

    def task_settings(self) -> dict:
        """As `TextClassifier.task_settings`, with the settings of the modalities."""
        return super().task_settings() | self.modality_settings

    @classmethod
    def saved_settings(cls, task: dict, source: Any) -> dict:
        """As `TextClassifier.saved_settings`, with the settings of the modalities."""
        return super().saved_settings(task, source) | select(task, _SAVED)
