"""The folder of images that occluders are cut out of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from pipeline.data.images import LARGE, decode_stored
from pipeline.data.names import SUFFIXES
from pipeline.errors import InputError, warn
from pipeline.options.occluders import SourceOptions

Item = TypeVar("Item")


def list_images(folder: Path) -> list[str]:
    """List the image files at any depth, sorted, relative to `folder`; other files are ignored.

    Raises InputError if there is none.
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
    """Read upright pixels (H, W, 3) uint8 RGB; InputError for a missing or invalid file."""
    return read_stored(folder, name)[0]


def read_stored(folder: Path, name: str) -> tuple[np.ndarray, Image.Transpose | None]:
    """Read an image, and the operation that turned the stored pixels upright (None: none)."""
    path = folder / name
    if not path.is_file():
        raise InputError(f"{path}: no such image: restore it, or run the segmentation again")
    return decode_stored(path.read_bytes(), str(path))


def sample(items: Sequence[Item], count: int | None, seed: int) -> list[Item]:
    """Sample at most `count` of the items, in their order; None: all of them.

    The sample depends on (seed, number of items) alone; a larger count contains a smaller one's.
    """
    if count is None:
        return list(items)
    chosen = np.random.default_rng(seed).permutation(len(items))[:count]
    return [items[i] for i in sorted(chosen)]


def check_images(folder: Path, names: list[str]) -> dict[str, str]:
    """Decode each image once, so that SAM does not fail late.

    Returns the error of each image that does not decode, by name.
    """
    problems = {}
    for name in names:
        try:
            height, width, _ = read_image(folder, name).shape
        except InputError as error:
            problems[name] = str(error)
            continue
        if height * width > LARGE:
            warn(f"{folder / name}: {width} x {height} pixels take much time and memory")
    return problems


def report_problems(problems: dict[str, str], source: SourceOptions) -> None:
    """Raise InputError with all problems, or print them, as occluders.on_corrupt says."""
    if not problems:
        return
    text = "\n".join(problems.values())
    if source.on_corrupt == "stop":
        raise InputError(f"{text}\nor ignore such images with occluders.on_corrupt: list")
    print(f"{text}\nignored, as occluders.on_corrupt says: {len(problems)} images")
