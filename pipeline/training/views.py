"""Two views of each training image.

The augmentation of an image depends on (seed, epoch, position in the epoch) alone: not on the
number of workers, on earlier batches or on a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from pipeline.data.images import Size
from pipeline.data.training_images import TrainingImages
from pipeline.options.run import AugmentOptions
from pipeline.training.occlusion import Occluder
from pipeline.training.planes import resize_planes, to_planes
from pipeline.training.sampling import SampleKey

_GREY = (0.299, 0.587, 0.114)
_GRID = 4096
"""Factors of the jitter are multiples of 1 / 4096: float32 then holds every sum exactly."""


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
    """Jitter colours, resize to `size`, flip, pad with black and crop at random; all uint8.

    The result (H, W, 3) is stored channel by channel.
    """
    *draws, flip, left, top = rng.random(6).tolist()  # one call: a call takes 5 to 20 us
    factors = [1 + options.colour_jitter * (2 * draw - 1) for draw in draws]
    planes = to_planes(image)
    if options.jitter_before_resize:
        planes = resize_planes(_jitter(planes, factors), size, options.resize)
    else:
        planes = _jitter(resize_planes(planes, size, options.resize), factors)
    if flip < options.flip:
        planes = planes.flip(2)
    x, y = (int(draw * (2 * options.pad + 1)) for draw in (left, top))
    padded = functional.pad(planes, (options.pad,) * 4)
    return padded[:, y : y + size[1], x : x + size[0]].numpy().transpose(1, 2, 0)


def _jitter(planes: Tensor, factors: Sequence[float]) -> Tensor:
    """Scale brightness, contrast and saturation of (3, h, w) uint8 by the three `factors`.

    The three steps are one affine map of the colour, so they are applied and clipped together.
    """
    brightness, contrast, saturation = factors
    colours = planes.float()
    sums = colours.sum(2).sum(1, dtype=torch.float64).tolist()  # float32 holds the sum of a row
    mean = sum(map(mul, sums, _GREY)) / planes[0].numel()
    gain = brightness * contrast
    matrix = [[_on_grid(gain * (1 - saturation) * weight) for weight in _GREY] for _ in range(3)]
    for channel in range(3):
        matrix[channel][channel] += _on_grid(gain * saturation)
    offset = _on_grid((1 - contrast) * brightness * mean + 0.5)  # 0.5: rounds to nearest
    jittered = torch.addmm(torch.tensor([[offset]]), torch.tensor(matrix), colours.flatten(1))
    whole = jittered.clamp_(0, 255).numpy().astype(np.uint8)  # torch would take 6 times as long
    return torch.from_numpy(whole).view_as(planes)


def _on_grid(value: float) -> float:
    """Round to a multiple of 1 / `_GRID`: exact sums do not depend on the order of adding."""
    return round(value * _GRID) / _GRID


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
