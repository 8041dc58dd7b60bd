"""Two views of each training image.

The augmentation of an image depends on (seed, epoch, position in the epoch) alone: not on the
number of workers, on earlier batches or on a restart.
"""

from __future__ import annotations

from operator import mul
from typing import NamedTuple

import numpy as np
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from pipeline.data.images import Size
from pipeline.data.training_images import TrainingImages
from pipeline.options.run import AugmentOptions
from pipeline.training.occlusion import Occluder
from pipeline.training.sampling import SampleKey

_GREY = (0.299, 0.587, 0.114)
_RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


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
    factors = rng.uniform(1 - options.colour_jitter, 1 + options.colour_jitter, 3)
    method = _RESAMPLING[options.resize]
    view = Image.fromarray(image)  # an array again at the end only: both conversions copy
    if options.jitter_before_resize:
        view = _jitter(view, factors).resize(size, method)
    else:
        view = _jitter(view.resize(size, method), factors)
    if rng.random() < options.flip:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    left, top = rng.integers(-options.pad, options.pad + 1, 2).tolist()
    # crop fills the outside of the image with black, so it pads as well
    return np.asarray(view.crop((left, top, left + view.width, top + view.height)))


def _jitter(image: Image.Image, factors: np.ndarray) -> Image.Image:
    """Scale brightness, contrast and saturation by `factors` (3,).

    The three steps are one affine map of the colour, so they are applied and clipped together.
    """
    brightness, contrast, saturation = factors.tolist()
    shades = image.convert("L").histogram()
    mean = sum(map(mul, shades, range(256))) / (image.width * image.height)
    offset = (1 - contrast) * brightness * mean
    gain = brightness * contrast
    matrix: list[float] = []
    for channel in range(3):
        row = [gain * (1 - saturation) * weight for weight in _GREY]
        row[channel] += gain * saturation
        matrix += [*row, offset]
    return image.convert("RGB", tuple(matrix))


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
