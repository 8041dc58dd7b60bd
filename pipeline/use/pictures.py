"""Find and decode the pictures that a user gives."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image

from pipeline.data.images import decode_image, to_rgb
from pipeline.data.names import SUFFIXES, image_format
from pipeline.errors import InputError, warn
from pipeline.files import is_left_behind

Picture: TypeAlias = str | Path | Image.Image | np.ndarray
"""A file, an image of Pillow, or an array (H, W, 3) uint8 RGB, of any size."""


def find_pictures(paths: Iterable[str | Path]) -> list[Path]:
    """List files, and the images in folders at any depth, sorted within each folder; each once.

    Raises InputError for a path that does not exist and for a folder without images.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if not path.exists():
            raise InputError(f"{path}: no such file or folder: give a picture or a folder of them")
        found |= dict.fromkeys(_images_in(path) if path.is_dir() else [path])
    return list(found)


def _images_in(folder: Path) -> list[Path]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    images = [path for path in files if _is_image(path, folder)]
    if not images:
        raise InputError(
            f"{folder}: expected a folder with images ({', '.join(sorted(SUFFIXES))}), found none: "
            "give another folder"
        )
    return images


def _is_image(path: Path, folder: Path) -> bool:
    if is_left_behind(path.relative_to(folder).as_posix()):
        return False
    return path.suffix.lower().lstrip(".") in SUFFIXES or image_format(path) is not None


def read_picture(picture: Picture, name: str) -> tuple[bytes, np.ndarray | None]:
    """Return the bytes that identify a picture and, unless it is a file, its pixels.

    `name` is for messages. Raises InputError for a missing file and for an array of another kind.
    """
    if isinstance(picture, str | Path):
        try:
            return Path(picture).read_bytes(), None
        except OSError as error:
            raise InputError(f"{name}: {error.strerror}: check the path") from None
    pixels = to_rgb(picture) if isinstance(picture, Image.Image) else picture
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise InputError(
            f"{name}: expected an array (height, width, 3) uint8 of RGB pixels, found "
            f"{pixels.shape} {pixels.dtype}: convert it"
        )
    return str(pixels.shape).encode() + pixels.tobytes(), pixels


def decode_picture(picture: Picture, name: str) -> np.ndarray:
    """Return upright pixels (H, W, 3) uint8 RGB; InputError as for files in `decode_image`."""
    data, pixels = read_picture(picture, name)
    return decode_image(data, name) if pixels is None else pixels


def name_of(picture: Picture, position: int) -> str:
    """Return the path of a file, and the position of other pictures in their list."""
    return str(picture) if isinstance(picture, str | Path) else str(position)


class Scan:
    """Read pictures one by one; iterating yields the pixels (H, W, 3) of each new content.

    Unreadable pictures are reported as warnings and left out.
    """

    def __init__(self, pictures: Sequence[Picture], known: Collection[str] = ()) -> None:
        """Take the pictures and the hashes of contents that need not be decoded."""
        self._pictures = pictures
        self._known = known
        self.hashes: dict[str, str] = {}
        """SHA-256 of each readable picture by its name (see `name_of`)."""
        self.new: dict[str, None] = {}
        """Hashes of the pixels that were yielded, in order."""

    def __iter__(self) -> Iterator[np.ndarray]:
        for position, picture in enumerate(self._pictures):
            try:
                yield from self._read(picture, name_of(picture, position))
            except InputError as error:
                warn(str(error))

    def _read(self, picture: Picture, name: str) -> Iterator[np.ndarray]:
        data, pixels = read_picture(picture, name)
        content = hashlib.sha256(data).hexdigest()
        is_new = content not in self._known and content not in self.new
        if is_new and pixels is None:
            pixels = decode_image(data, name)
        self.hashes[name] = content
        if is_new and pixels is not None:
            self.new[content] = None
            yield pixels
