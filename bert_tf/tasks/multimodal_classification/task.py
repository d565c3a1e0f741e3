"""Classification of a text with a picture, a sound, or both (Kiela et al. 2019; Kim et al. 2021)."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.modeling.layers.dropout import Dropout
from bert_tf.tasks.base.batching import select
from bert_tf.tasks.base.multimodal_task import MultimodalTask
from bert_tf.tasks.classification.task import TextClassifier
from bert_tf.tasks.multimodal_classification import SPEC
from bert_tf.tasks.multimodal_classification.preprocessor import MultimodalClassificationPreprocessor

# N examples, M modalities, C classes


@keras.saving.register_keras_serializable("bert_tf")
class MultimodalClassifier(MultimodalTask, TextClassifier):
    """A classifier whose encoder attends to patches of a picture and frames of a sound beside the words.

    Files of a request are those of `MultimodalTask`; in inference columns may be left out at the end.

    Args:
        modality_dropout: share of the examples of which a picture or sound is hidden in training, each for itself, so
            that the model learns to answer without.
        Others: as for `TextClassifier`; longer texts are truncated. The settings of pictures, sounds and vectors
            (`modalities`, `image_size` and so on) are those of `MultimodalTask`.

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
        modality_dropout: float = 0.0,
        **settings: Any,
    ):
        if not 0 <= modality_dropout < 1:
            raise ConfigError(f"Received: modality_dropout={modality_dropout}. It must be in [0, 1).")
        self.modality_dropout = modality_dropout
        super().__init__(tokenizer, labels, max_length, problem_type, pooling, **settings)

    def make_preprocessor(self, stride: int | None) -> MultimodalClassificationPreprocessor:
        """As `TextClassifier.make_preprocessor`, with files."""
        preprocessor = MultimodalClassificationPreprocessor(
            self.spec_of_words, self.tokenizer, self.max_length, stride, self.problem
        )
        preprocessor.modalities = self.files
        return preprocessor

    def build(self, input_shape: Any = None) -> None:
        """Makes the layers of the modalities, and the weights of the head."""
        self.hide = Dropout(self.modality_dropout, dtype="float32", name="hide")
        self.build_files()
        super().build(input_shape)

    def call(self, inputs: dict, training: bool | None = None) -> Any:
        """The inputs `INPUTS` to logits, float32 [N, C]."""
        kept = None
        if training and self.hide.rate:
            shape = (ops.shape(inputs[features.INPUT_IDS])[0], len(self.files.parts))
            kept = self.hide(ops.ones(shape), training=True) > 0  # [N, M]
        words = {name: inputs[name] for name in features.ENCODER_INPUTS}
        return super().call(words | self.file_features(inputs, kept), training=training)

    def task_settings(self) -> dict:
        """As `MultimodalTask.task_settings`, with the modality dropout."""
        return super().task_settings() | {"modality_dropout": self.modality_dropout}

    @classmethod
    def saved_settings(cls, task: dict, source: Any) -> dict:
        """As `MultimodalTask.saved_settings`, with the modality dropout."""
        return super().saved_settings(task, source) | select(task, ("modality_dropout",))
