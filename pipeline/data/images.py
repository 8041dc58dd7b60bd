"""Decode image files into RGB arrays, and resize these."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import Base as ExifTag

from pipeline.errors import InputError

# What Pillow's plugins raise on damaged bytes.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, KeyError, Image.DecompressionBombError)
# The decoders that may see foreign bytes: some of Pillow's others start outside programs.
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
_EIGHT_BIT = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB"})
LARGE = 89_478_485
"""Pixels from which Pillow warns of a decompression bomb; it refuses twice as many."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientation (CIPA DC-008) to the operation that turns the stored pixels upright."""

Size = tuple[int, int]
"""Width and height in pixels."""


def decode_image(data: bytes, name: str) -> np.ndarray:
    """The pixels of an encoded image, upright by its EXIF orientation, (H, W, 3) uint8 RGB.

    Grey, palette and CMYK images are converted, transparency is dropped, and 16-bit greys are
    scaled to 8 bits. Raises InputError that names `name` for bytes that are empty, cut off or not
    an image.
    """
    return decode_stored(data, name)[0]


def decode_stored(data: bytes, name: str) -> tuple[np.ndarray, Image.Transpose | None]:
    """`decode_image`, and the operation that turned the stored pixels upright (None: none)."""
    if not data:
        raise InputError(f"{name}: expected an image, found an empty file: fetch it again")
    try:
        with warnings.catch_warnings():
            # Pillow's warnings do not name the file: ingest warns of large images by name
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                image.load()  # reads every pixel: opening alone accepts a truncated file
                turn = _turn(image)
                return _rgb(image if turn is None else image.transpose(turn)), turn
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    except _DAMAGE as error:
        # the message of an unidentified image shows the address of a buffer, not the file
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "not in a known format" if unknown else str(error)
        raise InputError(
            f"{name}: expected a whole {', '.join(FORMATS)} image, found {len(data)} bytes that do "
            f"not decode ({reason}): fetch it again"
        ) from None


def _turn(image: Image.Image) -> Image.Transpose | None:
    """The operation that turns a loaded image upright; Pillow has turned a TIFF already."""
    try:
        return _TURNS.get(image.getexif().get(ExifTag.Orientation, 1))
    except Exception:  # broken EXIF raises errors of many kinds, and the pixels are whole
        return None


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I;16"):
        # Pillow's own conversion clips at 255, which turns all but the darkest pixels white
        grey = np.asarray(image).astype(np.uint32)
        eight = ((grey * 255 + 32767) // 65535).astype(np.uint8)
        return np.repeat(eight[:, :, None], 3, axis=2)
    if image.mode not in _EIGHT_BIT:
        raise InputError(
            f"expected 8 or 16 bits a channel, found Pillow's mode {image.mode}: convert the image"
        )
    return np.array(image.convert("RGB"))


def resize(
    image: np.ndarray, size: Size, method: Image.Resampling = Image.Resampling.BILINEAR
) -> np.ndarray:
    """`image` (h, w, 3) uint8 scaled to `size` with antialiasing."""
    if image.shape[1::-1] == size:
        return image
    return np.asarray(Image.fromarray(image).resize(size, method))
