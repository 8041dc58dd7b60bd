"""Two views of each training image.

The augmentation of an image depends on (seed, epoch, position in the epoch) alone: not on the
number of workers, on earlier batches or on a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul
from typing import NamedTuple

import cv2
import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from pipeline.data.images import Size
from pipeline.data.training_images import TrainingImages
from pipeline.options.run import AugmentOptions
from pipeline.training.occlusion import Occluder
from pipeline.training.pixels import resize_antialiased
from pipeline.training.sampling import SampleKey

_GREY = (0.299, 0.587, 0.114)


class View(NamedTuple):
    """The two views of one image, its label and the index of its camera.

    Views are (H, W, 3) uint8; the second one is float32 if it has values outside 0..255.
    """

    clean: np.ndarray
    second: np.ndarray
    label: int
    camera: int


class TrainingBatch(NamedTuple):
    """Two views (B, 3, H, W) uint8 of the same images; `second` may be float32.

    `labels` and `cameras` (B,) int64 are those of `TrainingImages`.
    """

    clean: Tensor
    second: Tensor
    labels: Tensor
    cameras: Tensor


def clean_view(
    image: np.ndarray, size: Size, options: AugmentOptions, rng: np.random.Generator
) -> np.ndarray:
    """Jitter colours, resize to `size`, flip, pad with black and crop at random; all uint8."""
    *draws, flip, left, top = rng.random(6).tolist()  # one call: a call takes 5 to 20 us
    factors = [1 + options.colour_jitter * (2 * draw - 1) for draw in draws]
    if options.jitter_before_resize:
        view = resize_antialiased(_jitter(image, factors), size, options.resize)
    else:
        view = _jitter(resize_antialiased(image, size, options.resize), factors)
    if flip < options.flip:
        view = cv2.flip(view, 1)
    x, y = (int(draw * (2 * options.pad + 1)) for draw in (left, top))
    padded = cv2.copyMakeBorder(view, *(options.pad,) * 4, cv2.BORDER_CONSTANT)
    return np.ascontiguousarray(padded[y : y + size[1], x : x + size[0]])


def _jitter(image: np.ndarray, factors: Sequence[float]) -> np.ndarray:
    """Scale brightness, contrast and saturation of (h, w, 3) uint8 by the three `factors`.

    The three steps are one affine map of the colour, so they are applied and clipped together.
    """
    brightness, contrast, saturation = factors
    mean = sum(map(mul, cv2.sumElems(image), _GREY)) / (image.size // 3)
    gain = brightness * contrast
    grey = [gain * (1 - saturation) * weight for weight in _GREY]
    matrix = np.array([[*grey, (1 - contrast) * brightness * mean]] * 3, np.float32)
    matrix[:, :3] += gain * saturation * np.eye(3, dtype=np.float32)
    return cv2.transform(image, matrix)  # rounds the matrix to multiples of 1 / 1024


def two_views(
    image: np.ndarray,
    size: Size,
    options: AugmentOptions,
    occluder: Occluder | None,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the clean view and an occluded copy; without an occluder, another clean view."""
    clean = clean_view(image, size, options, rng)
    if occluder is None:
        return clean, clean_view(image, size, options, rng)
    return clean, occluder(clean, rng)


class TwoViews(Dataset[View]):
    """Dataset of the two views of the image of a `SampleKey`."""

    def __init__(
        self, images: TrainingImages, options: AugmentOptions, occluder: Occluder | None, seed: int
    ) -> None:
        self._images = images
        self._options = options
        self._occluder = occluder
        self._seed = seed

    def __getitem__(self, key: SampleKey) -> View:
        epoch, position, index = key
        # + 1: (seed, epoch, 0) is the random stream of (seed, epoch), which samples the batches
        rng = np.random.default_rng([self._seed, epoch, position + 1])
        image, size = self._images.source(index), self._images.size
        views = two_views(image, size, self._options, self._occluder, rng)
        label, camera = self._images.labels[index], self._images.cameras[index]
        return View(*views, int(label), int(camera))
