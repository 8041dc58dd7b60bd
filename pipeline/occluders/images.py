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

Thing = TypeVar("Thing")


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
    """Upright pixels (H, W, 3) uint8 RGB; InputError for a file that is missing or not an image."""
    return read_stored(folder, name)[0]


def read_stored(folder: Path, name: str) -> tuple[np.ndarray, Image.Transpose | None]:
    """`read_image`, and the operation that turned the stored pixels upright (None: none)."""
    path = folder / name
    if not path.is_file():
        raise InputError(f"{path}: there is no such image: run the segmentation again")
    return decode_stored(path.read_bytes(), str(path))


def sample(things: Sequence[Thing], count: int | None, seed: int) -> list[Thing]:
    """At most `count` of the things, in their order; None: all of them.

    A function of (seed, number of things): a larger count keeps what a smaller one holds.
    """
    if count is None:
        return list(things)
    drawn = np.random.default_rng(seed).permutation(len(things))[:count]
    return [things[i] for i in sorted(drawn)]


def check_images(folder: Path, names: list[str]) -> dict[str, str]:
    """Decode every image once, one at a time: cheap next to SAM, and spares a late failure.

    Returns what is wrong with those that do not decode, by name.
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


def stop_or_list(problems: dict[str, str], source: SourceOptions) -> None:
    """Raise InputError with all the problems, or print them, as occluders.on_corrupt says."""
    if not problems:
        return
    text = "\n".join(problems.values())
    if source.on_corrupt == "stop":
        raise InputError(f"{text}\nor leave such images out with occluders.on_corrupt: list")
    print(f"{text}\nleft out, as occluders.on_corrupt says: {len(problems)} images")
