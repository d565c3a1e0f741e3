"""Files of pictures and sounds: what is decoded, and what is refused before it is."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import InputError
from bert_tf.media.contents import column_contents
from bert_tf.media.images import check_image, decode_images, example_image
from bert_tf.media.sounds import check_sound, decode_sounds, example_sound, wav
from bert_tf.media.vectors import check_vectors, decode_vectors, npy
from bert_tf.modeling.layers.modalities.image_patches import ImageConvolutions, ImagePatches
from bert_tf.modeling.layers.modalities.log_mel import LogMel, mel_filters, num_features

RATE = 8000
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype("uint8")


def png(pixels):
    return tf.io.encode_png(pixels).numpy()


def declaring(width, height):
    """A PNG whose header declares another size."""
    content = bytearray(example_image())
    content[16:24] = struct.pack(">II", width, height)
    return bytes(content)


def compressed(encoding):
    content = bytearray(example_sound(RATE))
    content[20:22] = struct.pack("<H", encoding)
    return bytes(content)


def test_pictures_become_pixels_of_one_size():
    square = np.kron(np.arange(4).reshape(2, 2), np.ones((2, 2)))[..., None].repeat(3, -1).astype("uint8") * 50
    clear = np.concatenate([np.zeros((4, 4, 3)), np.zeros((4, 4, 1))], -1).astype("uint8")
    jpeg = tf.io.encode_jpeg(np.full((9, 5, 3), 77, "uint8"), quality=100).numpy()
    pixels, present = decode_images(tf.constant([png(square), b"", png(clear), jpeg, png(PIXELS)]), 4)
    assert pixels.shape == (5, 4, 4, 3)
    assert present.numpy().tolist() == [True, False, True, True, True]
    np.testing.assert_array_equal(pixels[0], square)
    np.testing.assert_array_equal(pixels[1], 0)
    np.testing.assert_array_equal(pixels[2], 255)
    np.testing.assert_allclose(pixels[3], 77, atol=1)
    assert abs(float(tf.reduce_mean(tf.cast(pixels[4], tf.float32))) - PIXELS.mean()) < 8


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"GIF89a" + bytes(20), "is no PNG or JPEG picture; it begins with b'GIF89a"),
        (example_image()[:-20], "truncated or damaged"),
        (example_image()[:12], "declares 0 x 0 pixels"),
        (tf.io.encode_jpeg(PIXELS).numpy()[:200], "truncated or damaged"),
        (declaring(40_000, 40_000), "declares 40,000 x 40,000 pixels"),
        (declaring(0, 5), "declares 0 x 5 pixels"),
    ],
)
def test_pictures_that_are_refused(content, match):
    with pytest.raises(InputError, match=match):
        check_image(content)
    with pytest.raises(tf.errors.OpError):
        decode_images(tf.constant([content]), 4)


def test_sounds_become_samples_of_one_rate_and_length():
    ramp = np.arange(20, dtype="<i2") * 100
    stereo = bytearray(wav(np.stack([ramp, 3 * ramp], 1).tobytes(), RATE))
    stereo[22:24], stereo[28:34] = struct.pack("<H", 2), struct.pack("<IH", 4 * RATE, 4)
    slow = wav(np.repeat(ramp[:10], 2).tobytes(), 2 * RATE)
    contents = [wav(ramp.tobytes(), RATE), b"", bytes(stereo), slow]
    samples, lengths = decode_sounds(tf.constant(contents), RATE, 16)
    assert (samples.dtype, lengths.numpy().tolist()) == (tf.int16, [16, 0, 16, 10])
    np.testing.assert_array_equal(samples[0], ramp[:16])
    np.testing.assert_array_equal(samples[1], 0)
    np.testing.assert_array_equal(samples[2], 2 * ramp[:16])
    np.testing.assert_allclose(samples[3][:10], ramp[:10], atol=60)
    np.testing.assert_array_equal(samples[3][10:], 0)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"ID3" + bytes(40), "is no WAV file"),
        (compressed(85), "is a WAV of format 85 with 16 bits. Give 16-bit PCM"),
        (example_sound(RATE)[:-10], "truncated or damaged"),
        (b"RIFF\x00\x00\x00\x00WAVE", "is a WAV without a format"),
        (wav(b"\x00\x00", 0), "declares 0 samples a second"),
    ],
)
def test_sounds_that_are_refused(content, match):
    with pytest.raises(InputError, match=match):
        check_sound(content, RATE)


def test_another_rate_is_resampled_and_said_once(caplog):
    for _ in range(2):
        check_sound(example_sound(11_000), 7_000)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["Sounds of 11,000 samples a second are resampled to 7,000, the model's rate."]


def test_columns_of_paths_and_contents(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(example_image())
    column = [str(path), path, example_image(), ""]
    found = column_contents(column, "image", check_image).numpy().tolist()
    assert found == [example_image()] * 3 + [b""]
    refused = {
        "Row 0: the image is empty": [""],
        "Row 1: .*b.png cannot be read": [path, tmp_path / "b.png"],
        "Row 0: the image is 3. Give the path": [3],
        "Row 0: the image .*a.wav is no PNG": [tmp_path / "a.wav"],
    }
    (tmp_path / "a.wav").write_bytes(example_sound(RATE))
    for match, values in refused.items():
        with pytest.raises(InputError, match=match):
            column_contents(values, "image", check_image, required=True)


def test_patches_are_squares_row_by_row():
    image = np.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3).astype("uint8")
    patches = np.array(ImagePatches(2)(image))
    assert patches.shape == (2, 6, 12)
    np.testing.assert_allclose(patches[1, 4], image[1, 2:4, 2:4].reshape(-1) / 127.5 - 1, atol=1e-6)
    layer = ImageConvolutions()
    assert layer(np.zeros((1, 32, 48, 3), "uint8")).shape == (1, 6, 64)


def test_log_mel_finds_the_band_of_a_tone():
    layer = LogMel(rate=RATE, bands=20, stack=2)
    tone = (8000 * np.sin(2 * np.pi * 1000 * np.arange(4000) / RATE)).astype("int16")
    features = np.array(layer(tone[None]))
    assert features.shape == (1, num_features(4000, RATE, 2), 40) == (1, 25, 40)
    filters = mel_filters(20, 256, RATE)
    assert features[0, 5].argmax() % 20 == filters[32].argmax()  # 1000 Hz is frequency 32 of 256 at 8000
    energy = np.abs(np.fft.rfft(tone[800:1000] / 32768 * np.hanning(201)[:-1], 256)) ** 2 @ filters  # frame 10
    expected = (np.maximum(np.log10(np.maximum(energy, 1e-10)), features.max() * 4 - 12) + 4) / 4
    np.testing.assert_allclose(features[0, 5, :20], expected, atol=1e-3)


def test_vectors_are_read_by_graphs_as_by_numpy():
    numbers = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    contents = tf.constant([npy(numbers), b"", npy(numbers[:2])])
    vectors, counts = tf.function(lambda contents: decode_vectors(contents, 3, 4))(contents)
    assert counts.numpy().tolist() == [4, 0, 2]
    np.testing.assert_array_equal(vectors[0], numbers[:4])
    np.testing.assert_array_equal(vectors[2], [*numbers[:2], [0] * 3, [0] * 3])
    check_vectors(npy(numbers), 3)


def saved(array, **how):
    stream = io.BytesIO()
    np.save(stream, array, **how)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"PK\x03\x04", "is no .npy file of version 1.0; it begins with"),
        (saved(np.array([{}], object), allow_pickle=True), "holds object in C order; it must be float32"),
        (saved(np.zeros([2, 3])), "holds float64"),
        (saved(np.zeros([2, 3], "float32", order="F")), "in Fortran order"),
        (npy(np.zeros([2, 4])), r"has shape \(2, 4\); the model reads \[T, 3\]"),
        (npy(np.zeros([0, 3])), r"has shape \(0, 3\)"),
        (npy(np.zeros([2, 3]))[:-4], "has 20 bytes of numbers; its shape"),
        (npy(np.full([2, 3], np.nan)), "not finite"),
        (npy(np.zeros([2, 3])).replace(b"descr", b"de(cr"), "no header that NumPy can read"),
    ],
)
def test_bad_vectors_are_refused(content, match):
    with pytest.raises(InputError, match=match):
        check_vectors(content, 3)
    if "finite" not in match:
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode_vectors(tf.constant([content]), 3, 4)
