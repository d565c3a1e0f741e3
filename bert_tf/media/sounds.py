"""Sounds: WAV files of 16-bit PCM, as samples of one rate and length."""

import functools
import struct

import tensorflow as tf
from absl import logging

from bert_tf.core.errors import InputError

# N sounds, L samples

PCM, BITS = 1, 16
MAX_RATE = 384_000  # samples a second


def check_sound(content: bytes, rate: int) -> None:
    """Raises `InputError`, a predicate about the sound, unless it can be decoded.

    A sound of another rate than `rate` is resampled, which one logged line says.
    """
    encoding, channels, found, bits = _format(content)
    if (encoding, bits) != (PCM, BITS):
        raise InputError(
            f"is a WAV of format {encoding} with {bits} bits. Give 16-bit PCM (format 1), not compressed: for instance "
            "ffmpeg -i FILE -c:a pcm_s16le NEW.wav."
        )
    if not 0 < found <= MAX_RATE or not channels:
        raise InputError(f"declares {found:,} samples a second in {channels} channels, which no sound has.")
    try:
        tf.audio.decode_wav(content)
    except tf.errors.OpError:
        raise InputError("cannot be decoded: it is truncated or damaged.") from None
    if found != rate:
        _tell_of_resampling(found, rate)


def decode_sounds(contents: tf.Tensor, rate: int, samples: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Contents of WAV files, string [N], as mono samples of one rate; TensorFlow ops only.

    Channels are averaged; sounds of another rate are resampled (linearly, with a triangular low-pass filter); what is
    beyond `samples` is cut.

    Returns:
        int16 [N, samples], padded with 0, and int32 [N]: the samples that each has, 0 for "". Contents that are no WAV
        of 16-bit PCM fail with INVALID_ARGUMENT.
    """

    def decode(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        channels, found = tf.audio.decode_wav(content)  # float32 [L, channels] from -1 to 1
        sound = tf.reduce_mean(channels, 1)[: samples * MAX_RATE // rate]  # [L]
        length = tf.cast(tf.round(tf.cast(tf.size(sound), tf.float64) * rate / tf.cast(found, tf.float64)), tf.int32)
        resized = tf.image.resize(
            sound[tf.newaxis, :, tf.newaxis], tf.stack([1, tf.maximum(length, 1)]), antialias=True
        )
        sound = tf.cond(found == rate, lambda: sound, lambda: resized[0, :, 0])[:samples]
        length = tf.size(sound)
        scaled = tf.clip_by_value(tf.round(sound * 32768.0), -32768, 32767)
        return tf.pad(tf.cast(scaled, tf.int16), [[0, samples - length]]), length

    def decode_or_empty(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        empty = tf.zeros([samples], tf.int16), tf.constant(0)
        return tf.cond(tf.strings.length(content) > 0, lambda: decode(content), lambda: empty)

    specs = tf.TensorSpec([samples], tf.int16), tf.TensorSpec([], tf.int32)
    return tf.map_fn(decode_or_empty, contents, fn_output_signature=specs)


def wav(samples: bytes, rate: int) -> bytes:
    """The contents of a mono WAV file of samples, int16 little-endian."""
    form = struct.pack("<HHIIHH", PCM, 1, rate, 2 * rate, 2, BITS)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


def example_sound(rate: int) -> bytes:
    """A WAV of a tenth of a second, a sawtooth, for examples and checks."""
    return wav(struct.pack(f"<{rate // 10}h", *(200 * (i % 40) - 4000 for i in range(rate // 10))), rate)


def _format(content: bytes) -> tuple[int, int, int, int]:
    """Encoding, channels, samples a second and bits of a sample, from the header of a WAV."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise InputError(f"is no WAV file; it begins with {content[:12]!r}.")
    place = 12
    while place + 24 <= len(content):
        size = struct.unpack_from("<I", content, place + 4)[0]
        if content[place : place + 4] == b"fmt ":
            encoding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", content, place + 8)
            return encoding, channels, rate, bits
        place += 8 + size + size % 2
    raise InputError("is a WAV without a format: it is truncated or damaged.")


@functools.cache
def _tell_of_resampling(found: int, rate: int) -> None:
    logging.warning("Sounds of %s samples a second are resampled to %s, the model's rate.", f"{found:,}", f"{rate:,}")
