"""Names of splits, identities with a meaning of their own, image formats and file names."""

from __future__ import annotations

import unicodedata
from pathlib import Path

WHOLE_QUERY = "whole_query"
"""Split of queries without occlusion: they share the gallery and are scored separately."""
QUERY_SPLITS = ("query", WHOLE_QUERY)
SPLITS = ("train", "query", "gallery", WHOLE_QUERY)
TEST_SPLITS = ("query", "gallery")
"""The splits that every test set has."""
JUNK = -1
"""Identity of bad detections: neither matches nor errors, so they are left out."""
DISTRACTOR = 0
"""Identity of gallery images that match no query: they stay in the gallery."""
SUFFIXES = frozenset({"jpg", "jpeg", "jfif", "png", "bmp", "tif", "tiff", "webp"})
_MAGIC = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG", "PNG"),
    (0, b"GIF8", "GIF"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (8, b"WEBP", "WebP"),
    *((8, brand, "HEIC or AVIF") for brand in (b"heic", b"heix", b"mif1", b"avif")),
)
"""Offset and value of the bytes that identify a format, and its name."""


def image_format(path: Path) -> str | None:
    """Return the image format by a file's first bytes; None for any other content."""
    with open(path, "rb") as file:
        head = file.read(16)
    return next((name for offset, magic, name in _MAGIC if head.startswith(magic, offset)), None)


def same_name(name: str) -> str:
    """Normalise a file name: file systems may ignore case and Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
