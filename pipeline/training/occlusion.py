"""Occlusion of training images: realistic occlusion (ROA) and the augmentations compared with it.

An occluder takes an image (H, W, 3) uint8 and a generator, and returns a new one of the same shape:
uint8, or float32 if it has values outside 0..255.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
from PIL import Image

from pipeline.errors import InputError
from pipeline.options.run import AugmentOptions, ErasingOptions, ImageOptions
from pipeline.training.pixels import resize_antialiased

TALL = 2.0
"""Ratio of height to width above which an object covers the full height of the image."""
PASTED = ErasingOptions(min_area=0.02, max_area=0.4, min_aspect=0.3, max_aspect=3.3)
"""Area and aspect of the rectangles of `CutAndPaste`."""
_MAX_TRIES = 100

Box = tuple[int, int, int, int]


class Occluder(Protocol):
    """Hide a part of an image; all randomness comes from `rng`."""

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return a new (H, W, 3) uint8 or float32 image with a part of `image` hidden."""


class Images(Protocol):
    """Training images, all of one size."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int, /) -> np.ndarray: ...


def make_occluder(
    augment: AugmentOptions, image: ImageOptions, bank: Sequence[np.ndarray], images: Images
) -> Occluder | None:
    """Create the occluder that `augment.occlusion` names; None for `none`.

    `roa` pastes the (h, w, 4) uint8 RGBA cut-outs of `bank`; `cut_and_paste` cuts out of `images`;
    `random_erasing` scales its fill by the normalisation of `image`.
    Raises InputError if `roa` gets an empty bank.
    """
    if augment.occlusion == "none":
        return None
    if augment.occlusion == "random_erasing":
        return RandomErasing(augment.erasing, image)
    if augment.occlusion == "cut_and_paste":
        return CutAndPaste(images)
    if not bank:
        raise InputError(
            "config: augment.occlusion: expected a bank of occluders for roa, found none: "
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
        premultiplied = (Image.fromarray(cut_out).convert("RGBa") for cut_out in bank)
        self._objects = [np.array(cut_out) for cut_out in premultiplied]

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = image.shape[:2]
        which, extent, flip, bottom, right = rng.random(5).tolist()  # one call: a call takes 5 us
        cut_out = self._objects[int(which * len(self._objects))]
        fraction = 0.5 + 0.25 * extent
        if cut_out.shape[0] / cut_out.shape[1] > TALL:
            h, w = height, round(fraction * width)
        else:
            h, w = round(fraction * height), width
        resized = resize_antialiased(cut_out, (w, h), "bilinear")
        if flip < 0.5:
            resized = cv2.flip(resized, 1)
        top = height - h if bottom < 0.5 else 0
        left = width - w if right < 0.5 else 0
        result = image.copy()
        _paste(result[top : top + h, left : left + w], resized)
        return result


def _paste(window: np.ndarray, cut_out: np.ndarray) -> None:
    """Paste `cut_out` (h, w, 4) uint8, with premultiplied colours, into `window` (h, w, 3)."""
    clear = cv2.cvtColor(cv2.bitwise_not(cv2.extractChannel(cut_out, 3)), cv2.COLOR_GRAY2RGB)
    # OpenCV itself takes 100 us to copy a window with gaps between its rows
    shaded = cv2.multiply(np.ascontiguousarray(window), clear, scale=1 / 255)  # rounded
    # at most 255: a premultiplied colour is at most its alpha
    window[...] = cv2.add(shaded, cv2.cvtColor(cut_out, cv2.COLOR_RGBA2RGB))


class RandomErasing:
    """Replace a rectangle by noise or the mean colour (Zhong et al., arXiv 1708.04896)."""

    def __init__(self, options: ErasingOptions, image: ImageOptions) -> None:
        self._options = options
        self._mean = 255 * np.array(image.mean, np.float32)
        self._std = 255 * np.array(image.std, np.float32)

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        noise = self._options.fill == "noise"
        # the other fills exceed the range of uint8, and a batch has one dtype
        result = image.copy() if noise else image.astype(np.float32)
        if rng.random() < self._options.probability:
            top, left, height, width = random_box(image.shape, self._options, rng)
            pixels = self._pixels((height, width, 3), rng)
            result[top : top + height, left : left + width] = pixels
        return result

    def _pixels(self, shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
        match self._options.fill:
            case "noise":
                return rng.integers(0, 256, shape, dtype=np.uint8)
            case "mean":
                return np.broadcast_to(self._mean, shape)
            case "gaussian":
                return self._mean + self._std * rng.standard_normal(shape, np.float32)
            case "raw_gaussian":
                return 255 * rng.standard_normal(shape, np.float32)


class CutAndPaste:
    """Paste a rectangle of another training image at a random position."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        other = self._images[int(rng.integers(len(self._images)))]
        top, left, height, width = random_box(image.shape, PASTED, rng)
        y = int(rng.integers(image.shape[0] - height + 1))
        x = int(rng.integers(image.shape[1] - width + 1))
        result = image.copy()
        patch = other[y : y + height, x : x + width]
        result[top : top + height, left : left + width] = patch
        return result


def random_box(shape: tuple[int, ...], options: ErasingOptions, rng: np.random.Generator) -> Box:
    """Sample top, left, height and width of a rectangle inside an image of `shape` (H, W, 3).

    The area is uniform and the aspect log-uniform within `options`; a rectangle that does not fit
    is sampled again.
    """
    height, width, _ = shape
    low, high = math.log(options.min_aspect), math.log(options.max_aspect)
    for _ in range(_MAX_TRIES):
        area = rng.uniform(options.min_area, options.max_area) * height * width
        aspect = math.exp(rng.uniform(low, high))
        h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < h <= height and 0 < w <= width:
            return int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w
    return 0, 0, max(1, height // 4), max(1, width // 4)  # the image is too thin
