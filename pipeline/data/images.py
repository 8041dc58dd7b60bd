"""Decode image files into RGB arrays, and resize the arrays."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import Base as ExifTag

from pipeline.errors import InputError

_DECODE_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, KeyError),
    Image.DecompressionBombError,
)
"""Exceptions that Pillow's plugins raise on damaged bytes."""
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
"""The allowed decoders: some of Pillow's others start external programs."""
_EIGHT_BIT = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB"})
LARGE = 89_478_485
"""Pixels from which Pillow warns of a decompression bomb; it refuses twice as many."""
_JPEG = b"\xff\xd8\xff"
_APP1 = b"\xff\xe1"
"""Marker of the segment with EXIF or XMP, which may hold an orientation."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transpose that turns stored pixels upright, by EXIF orientation (CIPA DC-008)."""

Size = tuple[int, int]
"""Width and height in pixels."""


def decode_image(data: bytes, name: str) -> np.ndarray:
    """Decode an image and turn it upright by its EXIF orientation; returns (H, W, 3) uint8 RGB.

    Converts grey, palette and CMYK images, drops transparency and scales 16-bit grey to 8 bits.
    `name` is for messages. Raises InputError for bytes that are empty, truncated or no image.
    """
    return decode_stored(data, name)[0]


def decode_stored(data: bytes, name: str) -> tuple[np.ndarray, Image.Transpose | None]:
    """Decode as `decode_image`; also returns the transpose that turned the pixels upright."""
    pixels = _decode_plain_jpeg(data)
    return _decode(data, name, _rgb) if pixels is None else (pixels, None)


def decode_alpha(data: bytes, name: str) -> np.ndarray:
    """Decode the opacity of an image and turn it upright; returns (H, W) uint8, 0: transparent.

    `name` is for messages. Raises InputError as `decode_image` does, and for an image without
    transparency.
    """
    return _decode(data, name, _alpha)[0]


def _decode_plain_jpeg(data: bytes) -> np.ndarray | None:
    """Decode an intact grey or YCbCr JPEG that states no orientation; None: leave it to Pillow.

    Returns the pixels of Pillow, which uses the same libjpeg-turbo but takes 2 to 5 times as long.
    """
    if not data.startswith(_JPEG) or _APP1 in data:
        return None
    import simplejpeg  # a training step and its benchmarks need no decoder

    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours not in ("Gray", "YCbCr") or height * width > LARGE:
            return None
        return simplejpeg.decode_jpeg(data)
    except ValueError:  # damaged: Pillow decides whether it is readable, and says why not
        return None


def _decode(
    data: bytes, name: str, convert: Callable[[Image.Image], np.ndarray]
) -> tuple[np.ndarray, Image.Transpose | None]:
    """Decode an image, turn it upright and convert it; also returns the transpose."""
    if not data:
        raise InputError(f"{name}: expected an image, found an empty file: fetch it again")
    try:
        with warnings.catch_warnings():
            # Pillow's warnings do not name the file: ingest warns of large images by name
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                image.load()  # reads every pixel: opening alone accepts a truncated file
                upright = _upright_transpose(image)
                return convert(image if upright is None else image.transpose(upright)), upright
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    except _DECODE_ERRORS as error:
        # the message of an unidentified image shows the address of a buffer, not the file
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "not in a known format" if unknown else str(error)
        raise InputError(
            f"{name}: expected a whole {', '.join(FORMATS)} image, found {len(data)} bytes that do "
            f"not decode ({reason}): fetch it again"
        ) from None


def to_rgb(image: Image.Image) -> np.ndarray:
    """Turn an image of Pillow upright by its EXIF orientation; returns (H, W, 3) uint8 RGB.

    Raises InputError for more than 8 or 16 bits a channel.
    """
    upright = _upright_transpose(image)
    return _rgb(image if upright is None else image.transpose(upright))


def _upright_transpose(image: Image.Image) -> Image.Transpose | None:
    """Return the transpose that turns a loaded image upright; Pillow itself turns TIFF files."""
    try:
        return _UPRIGHT.get(image.getexif().get(ExifTag.Orientation, 1))
    except Exception:  # broken EXIF raises many kinds of errors, but the pixels are intact
        return None


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I;16"):
        # Pillow's own conversion clips at 255 instead of scaling
        grey = np.asarray(image).astype(np.uint32)
        eight = ((grey * 255 + 32767) // 65535).astype(np.uint8)
        return np.repeat(eight[:, :, None], 3, axis=2)
    if image.mode not in _EIGHT_BIT:
        raise InputError(
            f"expected 8 or 16 bits a channel, found Pillow's mode {image.mode}: convert the image"
        )
    return np.array(image.convert("RGB"))


def _alpha(image: Image.Image) -> np.ndarray:
    if not image.has_transparency_data:
        raise InputError(
            f"expected an image with transparency, found none in mode {image.mode}: remove the "
            "background and save as PNG or WebP"
        )
    return np.array(image.convert("RGBA").getchannel("A"))


def resize(
    image: np.ndarray, size: Size, method: Image.Resampling = Image.Resampling.BILINEAR
) -> np.ndarray:
    """Scale an image (h, w, 3) uint8 to `size` with antialiasing."""
    if image.shape[1::-1] == size:
        return image
    return np.asarray(Image.fromarray(image).resize(size, method))
