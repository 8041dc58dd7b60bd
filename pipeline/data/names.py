"""Names of splits and of images without a person; formats of images and equal file names."""

from __future__ import annotations

import unicodedata
from pathlib import Path

WHOLE_QUERY = "whole_query"
"""Queries without occlusion, beside occluded ones: they share the gallery and are scored apart."""
QUERY_SPLITS = ("query", WHOLE_QUERY)
SPLITS = ("train", "query", "gallery", WHOLE_QUERY)
TEST_SPLITS = ("query", "gallery")
"""What a test set must have. A dataset may lack them, or else train; any may lack WHOLE_QUERY."""
JUNK = -1
"""Identity of detections that show nobody in full: neither right nor wrong, so left out."""
DISTRACTOR = 0
"""Identity of gallery images of nobody who is searched for: they stay in the gallery."""
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
"""Where a format has which bytes, and its name."""


def image_kind(path: Path) -> str | None:
    """The format that a file has by its first bytes, or None where it is no common image."""
    with open(path, "rb") as file:
        head = file.read(16)
    return next((kind for at, magic, kind in _MAGIC if head.startswith(magic, at)), None)


def same_name(name: str) -> str:
    """A name as file systems compare it that ignore case and Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
