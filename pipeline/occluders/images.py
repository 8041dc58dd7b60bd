"""The folder of images that occluders are cut out of."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.data.images import decode_image
from pipeline.data.names import SUFFIXES
from pipeline.errors import InputError


def list_images(folder: Path) -> list[str]:
    """Names relative to `folder` of the image files at any depth, sorted; others are left alone.

    Raises InputError when there is none.
    """
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower().lstrip(".") in SUFFIXES and not path.name.startswith(".")
    )
    if not names:
        raise InputError(
            f"{folder}: expected a folder with images ({', '.join(sorted(SUFFIXES))}), found none: "
            "correct occluders.images"
        )
    return names


def read_image(folder: Path, name: str) -> np.ndarray:
    """Pixels (H, W, 3) uint8 RGB; InputError names a file that is missing or does not decode."""
    path = folder / name
    if not path.is_file():
        raise InputError(f"{path}: there is no such image: run the segmentation again")
    return decode_image(path.read_bytes(), str(path))


def check_images(folder: Path, names: list[str]) -> None:
    """Decode every image once, which is cheap next to SAM and spares a late failure.

    Raises InputError that names all images that do not decode.
    """
    problems = []
    for name in names:
        try:
            read_image(folder, name)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("\n".join(problems))
