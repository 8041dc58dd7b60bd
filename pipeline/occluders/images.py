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

_SIDEWAYS = (
    *(Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270),
    *(Image.Transpose.TRANSPOSE, Image.Transpose.TRANSVERSE),
)

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


def masks_transpose(
    size: tuple[int, int], upright: tuple[int, int], transpose: Image.Transpose | None
) -> Image.Transpose | None:
    """Return the operation that turns masks of `size` upright; None: they are.

    Masks describe the stored pixels, which `transpose` turned into an image of size `upright`,
    unless their size, height and width, says that they are of the upright image. Raises
    InputError for any other size.
    """
    if transpose is not None and size == _stored_size(transpose, upright):
        return transpose
    check_size("the image", size, upright)
    return None


def _stored_size(transpose: Image.Transpose, upright: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of the stored pixels of an image of size `upright`."""
    return (upright[1], upright[0]) if transpose in _SIDEWAYS else upright


def check_size(what: str, found: tuple[int, int], image: tuple[int, int]) -> None:
    """Raise InputError if `found`, height and width, is not the size of the image."""
    if found != image:
        raise InputError(
            f"expected {what} to have the {image[1]} x {image[0]} pixels of the file, found "
            f"{found[1]} x {found[0]}"
        )


def turn_mask(mask: np.ndarray, transpose: Image.Transpose | None) -> np.ndarray:
    """Apply `transpose` to a mask (H, W) bool."""
    return mask if transpose is None else np.array(Image.fromarray(mask).transpose(transpose))


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
