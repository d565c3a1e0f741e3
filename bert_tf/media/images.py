"""Pictures: PNG and JPEG, refused by their declared size before they are decoded, as uint8 pixels of one size."""

import struct
import zlib

import tensorflow as tf

from bert_tf.core.errors import InputError

# N pictures, H height, W width

MAX_PIXELS = 1 << 26  # of a picture: 192 MiB of RGB
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


def check_image(content: bytes) -> None:
    """Raises `InputError`, a predicate about the picture, unless it can be decoded."""
    if not content.startswith((_PNG, _JPEG)):
        raise InputError(f"is no PNG or JPEG picture; it begins with {content[:8]!r}.")
    try:
        height, width = (int(size) for size in _declared_size(tf.constant(content)))
        if not 0 < height * width <= MAX_PIXELS:
            raise InputError(
                f"declares {width:,} x {height:,} pixels; at most {MAX_PIXELS:,} are decoded. Give a smaller one."
            )
        _pixels(tf.constant(content))
    except tf.errors.OpError:
        raise InputError("cannot be decoded: it is truncated or damaged.") from None


def decode_images(contents: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Contents of PNG or JPEG files, string [N], as pixels of one size; TensorFlow ops only.

    Pictures are stretched to `size` x `size` (bilinear, antialiased); transparent parts become white.

    Returns:
        uint8 [N, size, size, 3], and bool [N]: whether there is a picture; "" has none, and pixels of 0. Contents that
        are no picture, or declare too many pixels, fail with INVALID_ARGUMENT.
    """
    present = tf.strings.length(contents) > 0

    def decode(content: tf.Tensor) -> tf.Tensor:
        pixels = tf.image.resize(_checked_pixels(content), [size, size], antialias=True)  # float32 [size, size, 3]
        return tf.cast(tf.clip_by_value(tf.round(pixels), 0, 255), tf.uint8)

    def decode_or_empty(content: tf.Tensor) -> tf.Tensor:
        empty = tf.zeros([size, size, 3], tf.uint8)
        return tf.cond(tf.strings.length(content) > 0, lambda: decode(content), lambda: empty)

    spec = tf.TensorSpec([size, size, 3], tf.uint8)
    return tf.map_fn(decode_or_empty, contents, fn_output_signature=spec), present


def example_image() -> bytes:
    """A PNG of 8 x 8 pixels, a red square on white, for examples and checks."""
    white, red = b"\xff\xff\xff", b"\xff\x00\x00"
    rows = [b"\x00" + white * 2 + (red if 2 <= y < 6 else white) * 4 + white * 2 for y in range(8)]
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    return _PNG + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"".join(rows))) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _is_png(content: tf.Tensor) -> tf.Tensor:
    return tf.strings.substr(content, 0, len(_PNG)) == _PNG


def _declared_size(content: tf.Tensor) -> tf.Tensor:
    """Height and width that the header of a PNG or JPEG declares, int64 [2]."""

    def of_png() -> tf.Tensor:
        header = tf.io.decode_raw(content, tf.uint8, fixed_length=24)  # padded with 0
        numbers = tf.reshape(header[16:], [2, 4])  # width and height in the chunk IHDR
        sizes = tf.reduce_sum(tf.cast(numbers, tf.int64) * tf.constant([1 << 24, 1 << 16, 1 << 8, 1], tf.int64), 1)
        return tf.reverse(sizes, [0])

    def of_jpeg() -> tf.Tensor:
        return tf.cast(tf.image.extract_jpeg_shape(content)[:2], tf.int64)

    return tf.ensure_shape(tf.cond(_is_png(content), of_png, of_jpeg), [2])


def _checked_pixels(content: tf.Tensor) -> tf.Tensor:
    """As `_pixels`; a picture that declares too many fails before it is decoded."""
    size = _declared_size(content)
    fits = (tf.reduce_prod(size) <= MAX_PIXELS) & tf.reduce_all(size <= MAX_PIXELS)
    check = tf.debugging.Assert(fits, ["The picture declares too many pixels:", size])
    with tf.control_dependencies([check] if check is not None else []):
        return _pixels(tf.identity(content))


def _pixels(content: tf.Tensor) -> tf.Tensor:
    """RGB of a picture, float32 [H, W, 3] from 0 to 255, on white where it is transparent."""

    def of_png() -> tf.Tensor:
        pixels = tf.cast(tf.io.decode_png(content, channels=4), tf.float32)
        opacity = pixels[..., 3:] / 255.0
        return pixels[..., :3] * opacity + 255.0 * (1.0 - opacity)

    def of_jpeg() -> tf.Tensor:
        return tf.cast(tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE"), tf.float32)

    return tf.ensure_shape(tf.cond(_is_png(content), of_png, of_jpeg), [None, None, 3])
