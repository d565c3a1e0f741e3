"""Settings of `[model]` that every task with pictures or sounds has."""

import dataclasses

from bert_tf.core.settings import setting
from bert_tf.tasks.spec import TaskSettings

FILES = ("image", "audio", "vectors")  # texts of a request that are files


@dataclasses.dataclass(frozen=True)
class ModalitySettings(TaskSettings):
    """Arguments of `MultimodalTask`; None leaves one to the model."""

    modalities: tuple[str, ...] | None = setting(
        None, "files beside the text, in the order of their columns: image, audio, vectors"
    )
    image_size: int | None = setting(None, "pixels, high and wide, that pictures are stretched to", least=1, most=4096)
    image_patch: int | None = setting(None, "pixels, high and wide, of a feature", least=1, most=1024)
    image_network: str | None = setting(
        None, "makes features of pixels: patches (a linear projection) or convolutions (of 16 pixels)",
        choices=("patches", "convolutions"),
    )  # fmt: skip
    image_backbone_file: str | None = setting(
        None, "a .keras file: a model from pixels (0 to 255) to [rows, columns, F], which then makes the features"
    )
    audio_rate: int | None = setting(None, "samples a second; other sounds are resampled", least=1000, most=384_000)
    audio_seconds: float | None = setting(None, "seconds that are read of a sound", above=0, most=600)
    audio_bands: int | None = setting(None, "mel bands of a frame", least=1, most=512)
    audio_stack: int | None = setting(None, "frames, one every 10 ms, of a feature", least=1, most=100)
    vectors_length: int | None = setting(None, "vectors that are read of a .npy file", least=1, most=2**16)
    vectors_size: int | None = setting(None, "numbers of a vector", least=1, most=2**16)
