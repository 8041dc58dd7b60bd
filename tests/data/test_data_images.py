"""Decoding: formats, colour modes, EXIF orientation and damaged files."""

from __future__ import annotations

import io
import pickle
import warnings

import numpy as np
import pytest
from PIL import Image

from pipeline.data.images import LARGE, decode_image
from pipeline.errors import InputError
from tests.miniatures import encode, picture


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_decode_exactly(file_format: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 5, 3), dtype=np.uint8)
    found = decode_image(encode(pixels, file_format), "x")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize(
    ("mode", "file_format"),
    [("CMYK", "JPEG"), *((mode, "PNG") for mode in ("L", "1", "P", "LA", "RGBA"))],
)
def test_colour_modes_are_converted_to_rgb(mode: str, file_format: str) -> None:
    flat = Image.new("RGB", (4, 6), (255, 255, 255)).convert(mode)
    found = decode_image(encode(flat, file_format), "x")
    assert found.shape == (6, 4, 3)
    assert found.dtype == np.uint8
    assert found.min() >= 250


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(file_format: str) -> None:
    deep = np.array([[0, 257, 128 * 257], [255, 60000, 65535]], dtype=np.uint16)
    found = decode_image(encode(deep, file_format), "x")
    np.testing.assert_array_equal(found[:, :, 0], [[0, 1, 128], [1, 233, 255]])
    assert (found == found[:, :, :1]).all()


def test_float_pixels_are_refused() -> None:
    image = Image.fromarray(np.zeros((3, 3), np.float32))
    with pytest.raises(InputError, match=r"deep\.tif.*8 or 16 bits"):
        decode_image(encode(image, "TIFF"), "deep.tif")


def decode_by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image.convert("RGB"))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_jpeg_has_the_pixels_of_pillow(mode: str, progressive: bool, subsampling: int) -> None:
    """Of every width modulo 16 and of odd heights, smooth and noisy."""
    rng = np.random.default_rng(0)
    for width in range(1, 34):
        height = int(rng.integers(1, 70))
        noise = Image.fromarray(rng.integers(0, 256, (9, 5, 3), dtype=np.uint8))
        for image in (noise, noise.resize((width, height), Image.Resampling.BICUBIC)):
            options = {"subsampling": subsampling} if mode == "RGB" else {}
            data = encode(
                image.convert(mode),
                "JPEG",
                quality=int(rng.integers(1, 101)),
                progressive=progressive,
                **options,
            )
            np.testing.assert_array_equal(decode_image(data, "x"), decode_by_pillow(data))


@pytest.mark.parametrize("quality", [30, 95])
def test_damaged_jpeg_is_what_pillow_makes_of_it(quality: int) -> None:
    """Changed, missing and additional bytes; libjpeg survives some of them."""
    rng = np.random.default_rng(quality)
    colours = Image.fromarray(rng.integers(0, 256, (9, 5, 3), dtype=np.uint8))
    data = encode(colours.resize((37, 61)), "JPEG", quality=quality)
    readable = 0
    for _ in range(300):
        place = int(rng.integers(2, len(data)))
        kept = place + int(rng.integers(0, 3))
        damaged = data[:place] + rng.bytes(int(rng.integers(0, 3))) + data[kept:]
        try:
            expected = decode_by_pillow(damaged)
        except Exception:
            with pytest.raises(InputError, match=r"^x: expected a whole"):
                decode_image(damaged, "x")
            continue
        readable += 1
        np.testing.assert_array_equal(decode_image(damaged, "x"), expected)
    assert 50 < readable < 290


@pytest.mark.parametrize("missing", [1, 2, 50, 400])
@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp"])
def test_truncated_images_are_refused(missing: int, suffix: str) -> None:
    data = picture(0, suffix)
    if suffix == "png":
        missing += 24  # the last checksum and the end marker contain no pixels
    with pytest.raises(InputError, match=r"0002_c1\.jpg: expected a whole"):
        decode_image(data[:-missing], "0002_c1.jpg")


@pytest.mark.parametrize(
    "data",
    [b"not an image", pickle.dumps([1, 2]), b"\x00" * 4000, b"\xff\xd8\xff\xe0", b"%!PS-Adobe"],
)
def test_bytes_that_are_no_image_are_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"a/b\.jpg: expected a whole") as error:
        decode_image(data, "a/b.jpg")
    assert "BytesIO" not in str(error.value)


def test_empty_file_is_refused() -> None:
    with pytest.raises(InputError, match=r"a/b\.jpg: expected an image, found an empty file"):
        decode_image(b"", "a/b.jpg")


STORED = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
UPRIGHT = {
    1: STORED,
    2: STORED[:, ::-1],
    3: STORED[::-1, ::-1],
    4: STORED[::-1],
    5: STORED.swapaxes(0, 1),
    6: STORED[::-1].swapaxes(0, 1),
    7: STORED[::-1, ::-1].swapaxes(0, 1),
    8: STORED.swapaxes(0, 1)[::-1],
    9: STORED,
}
"""The upright pixels of STORED by EXIF orientation; 9 is invalid."""


def _tagged(image: Image.Image, orientation: int, file_format: str = "PNG", **options) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(image, file_format, exif=exif, **options)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(file_format: str) -> None:
    lossless = {"lossless": True} if file_format == "WEBP" else {}
    for orientation, upright in UPRIGHT.items():
        data = _tagged(Image.fromarray(STORED), orientation, file_format, **lossless)
        np.testing.assert_array_equal(decode_image(data, "x"), upright)


def test_exif_orientation_is_applied_to_jpeg_and_16_bit_png() -> None:
    picture = Image.new("RGB", (32, 16))
    picture.paste((255, 255, 255), (0, 0, 16, 16))
    upright = decode_image(_tagged(picture, 6, "JPEG"), "x")
    assert upright.shape == (32, 16, 3)
    assert upright[:14].min() > 250 > 5 > upright[18:].max()
    deep = Image.fromarray(np.array([[0, 65535]], dtype=np.uint16))
    np.testing.assert_array_equal(decode_image(_tagged(deep, 8), "x")[:, 0, 0], [255, 0])


def test_broken_exif_is_ignored() -> None:
    data = _tagged(Image.new("RGB", (4, 2)), 6, "JPEG")
    for broken in (b"Exif\0\0XX", b"Exif\0\0II*\0\xff\xff\xff\xff"):
        start = data.index(b"Exif\0\0")
        damaged = data[:start] + broken + data[start + len(broken) :]
        assert decode_image(damaged, "x").shape == (2, 4, 3)


def test_large_image_decodes_without_pillows_warning(monkeypatch) -> None:
    assert LARGE == Image.MAX_IMAGE_PIXELS
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode_image(encode(Image.new("RGB", (6, 5)), "PNG"), "x").shape == (5, 6, 3)
    with pytest.raises(InputError, match=r"big\.png: expected .*decompression bomb"):
        decode_image(encode(Image.new("RGB", (7, 6)), "PNG"), "big.png")
