"""Samples of a sound as log-mel frames, computed in the graph."""

from typing import Any

import keras
import numpy as np
from keras import ops

# N sounds, L samples, W samples of a window, K frequencies, M mel bands, T features, R frames of a feature

WINDOW_SECONDS, HOP_SECONDS = 0.025, 0.01
_DYNAMIC = 8.0  # powers of ten below the loudest band, under which all counts as silence


def num_features(samples: int, rate: int, stack: int) -> int:
    """T: the features of so many samples, of which the last may end in silence."""
    return -(-samples // (stack * round(HOP_SECONDS * rate)))


def mel_filters(bands: int, size: int, rate: int) -> np.ndarray:
    """Triangles at equal distances on the mel scale (HTK's) over the frequencies of a transform of `size`: [K, M]."""

    def mel(hertz):
        return 2595 * np.log10(1 + hertz / 700)

    frequencies = mel(np.arange(size // 2 + 1) * rate / size)  # [K]
    centres = np.linspace(mel(0.0), mel(rate / 2), bands + 2)
    rise = (frequencies[:, None] - centres[:-2]) / (centres[1:-1] - centres[:-2])
    fall = (centres[2:] - frequencies[:, None]) / (centres[2:] - centres[1:-1])
    return np.maximum(0, np.minimum(rise, fall)).astype("float32")


@keras.saving.register_keras_serializable("bert_tf")
class LogMel(keras.layers.Layer):
    """Log-mel frames of 25 ms every 10 ms, R of them side by side: int16 [N, L] to [N, T, R M].

    Energies are scaled as those of Whisper (Radford et al. 2022): powers of ten, at most 8 below the loudest of the
    sound, then (x + 4) / 4. The transform is a product with windowed cosines and sines, which every runtime has.

    Args:
        rate: samples a second.
        bands: M.
        stack: R.
    """

    def __init__(self, rate: int, bands: int, stack: int, **kwargs: Any):
        super().__init__(dtype=kwargs.pop("dtype", "float32"), autocast=False, **kwargs)
        self.rate, self.bands, self.stack = rate, bands, stack
        self.window, self.hop = round(WINDOW_SECONDS * rate), round(HOP_SECONDS * rate)
        size = 2 ** int(np.ceil(np.log2(self.window)))
        angles = 2 * np.pi * np.outer(np.arange(self.window), np.arange(size // 2 + 1)) / size  # [W, K]
        hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window))[:, None]
        self._transform = np.concatenate([hann * np.cos(angles), hann * np.sin(angles)], 1).astype(
            "float32"
        )  # [W, 2 K]
        self._filters = mel_filters(bands, size, rate)  # [K, M]

    def call(self, sound: Any) -> Any:
        """Samples [N, L], float or int16, to features [N, T, R M], float32."""
        samples = sound.shape[1]
        frames = self.stack * num_features(samples, self.rate, self.stack)  # T R
        x = ops.cast(sound, "float32") / 32768.0
        x = ops.pad(x, ((0, 0), (0, max(0, frames * self.hop + self.window - samples))))
        places = self.hop * np.arange(frames)[:, None] + np.arange(self.window)  # [T R, W]
        spectrum = ops.matmul(ops.take(x, places, axis=1), self._transform)  # [N, T R, 2 K]
        real, imaginary = ops.split(spectrum, 2, -1)
        energy = ops.matmul(ops.square(real) + ops.square(imaginary), self._filters)  # [N, T R, M]
        powers = ops.log(ops.maximum(energy, 1e-10)) / np.log(10.0).astype("float32")
        loudest = ops.max(powers, (1, 2), keepdims=True)
        scaled = (ops.maximum(powers, loudest - _DYNAMIC) + 4.0) / 4.0
        return ops.reshape(scaled, (-1, frames // self.stack, self.stack * self.bands))
