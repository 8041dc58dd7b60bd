"""What hides a part of a training image: realistic occlusion, and what it is compared with.

An occluder takes an image (H, W, 3) uint8 and a generator, and returns a new one of the same shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from PIL import Image

from pipeline.errors import InputError

TALL = 2.0
"""Objects whose height is more than so many widths stand beside the person, at full height."""
ERASING_PROBABILITY = 0.5
AREA = (0.02, 0.4)
"""Share of the image that a rectangle covers."""
ASPECT = (0.3, 3.3)
"""Height over width of a rectangle."""
_TRIES = 100

Box = tuple[int, int, int, int]


class Occluder(Protocol):
    """Hides a part of an image; every draw comes from `rng`."""

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A new (H, W, 3) uint8 image with a part of `image` hidden."""


class Images(Protocol):
    """Training images, all of one size."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int, /) -> np.ndarray: ...


def make_occluder(name: str, bank: Sequence[np.ndarray], images: Images) -> Occluder | None:
    """The occluder that augment.occlusion names; None for `none`.

    `bank` holds the (h, w, 4) uint8 RGBA cut-outs that `roa` pastes; `cut_and_paste` cuts out of
    `images`.
    Raises InputError when `roa` gets no objects.
    """
    if name == "none":
        return None
    if name == "random_erasing":
        return random_erasing
    if name == "cut_and_paste":
        return CutAndPaste(images)
    if not bank:
        raise InputError(
            "config: augment.occlusion: roa pastes objects of an occluder mask bank, found none: "
            "give --bank, or choose another occlusion"
        )
    return RealisticOcclusion(bank)


class RealisticOcclusion:
    """ROA (DPEFormer, arXiv 2402.10435): paste an object of the mask bank into a corner.

    A tall object (height over width above 2) takes the full height and U[1/2, 3/4] of the width;
    any other takes the full width and U[1/2, 3/4] of the height. Half of them are flipped.
    """

    def __init__(self, bank: Sequence[np.ndarray]) -> None:
        # premultiplied once: resizing must not bleed the colour of transparent pixels into the edge
        self._objects = [Image.fromarray(cut_out).convert("RGBa") for cut_out in bank]

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = image.shape[:2]
        cut_out = self._objects[rng.integers(len(self._objects))]
        share = rng.uniform(0.5, 0.75)
        flip, bottom, right = rng.random(3) < 0.5
        if cut_out.height / cut_out.width > TALL:
            h, w = height, round(share * width)
        else:
            h, w = round(share * height), width
        resized = cut_out.resize((w, h), Image.Resampling.BILINEAR, reducing_gap=2.0)
        pasted = np.asarray(resized)[:, ::-1] if flip else np.asarray(resized)
        top = height - h if bottom else 0
        left = width - w if right else 0
        return _paste(image, pasted, top, left)


def _paste(image: np.ndarray, cut_out: np.ndarray, top: int, left: int) -> np.ndarray:
    """A copy of `image` under `cut_out` (h, w, 4) uint8, whose colours are premultiplied."""
    result = image.copy()
    height, width = cut_out.shape[:2]
    window = result[top : top + height, left : left + width]
    shaded = window * (255 - cut_out[..., 3:].astype(np.uint16))
    shaded += 128
    shaded += shaded >> 8  # with the next line: division by 255, rounded to nearest
    shaded >>= 8
    # no overflow: a premultiplied colour is at most its alpha
    np.add(cut_out[..., :3], shaded, out=window, casting="unsafe")
    return result


def random_erasing(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With probability 0.5, a rectangle becomes random pixels (Zhong et al., arXiv 1708.04896)."""
    result = image.copy()
    if rng.random() < ERASING_PROBABILITY:
        top, left, height, width = random_box(image.shape[0], image.shape[1], rng)
        noise = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        result[top : top + height, left : left + width] = noise
    return result


class CutAndPaste:
    """A rectangle cut out of another training image is pasted at a random place."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        other = self._images[int(rng.integers(len(self._images)))]
        top, left, height, width = random_box(image.shape[0], image.shape[1], rng)
        y = int(rng.integers(image.shape[0] - height + 1))
        x = int(rng.integers(image.shape[1] - width + 1))
        result = image.copy()
        patch = other[y : y + height, x : x + width]
        result[top : top + height, left : left + width] = patch
        return result


def random_box(height: int, width: int, rng: np.random.Generator) -> Box:
    """Top, left, height and width of a random rectangle inside an image.

    Its area is uniform in AREA, its aspect log-uniform in ASPECT; what does not fit is drawn again.
    """
    low, high = math.log(ASPECT[0]), math.log(ASPECT[1])
    for _ in range(_TRIES):
        area = rng.uniform(*AREA) * height * width
        aspect = math.exp(rng.uniform(low, high))
        h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < h <= height and 0 < w <= width:
            return int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w
    return 0, 0, max(1, height // 4), max(1, width // 4)  # an image too thin for any draw
