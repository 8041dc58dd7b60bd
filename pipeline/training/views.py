"""Two views of each training image, and the loader that yields them in batches.

What an image becomes is a function of (seed, epoch, position in the epoch) alone: not of the number
of workers, of the batches before it, or of a restart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pipeline.data.sampling import epoch_batches
from pipeline.options.run import AugmentOptions, ImageOptions, TrainingOptions
from pipeline.training.occlusion import Occluder

if TYPE_CHECKING:  # a training step needs no pandas
    from pipeline.data.shards import ShardReader

CACHE_BYTES = 512 * 2**20
"""Decoded images are kept while they fit into this."""
_GREY = (0.299, 0.587, 0.114)

Place = tuple[int, int, int]
"""Epoch, position in the epoch, index of the image."""


class View(NamedTuple):
    """The two views of one image, each (H, W, 3) uint8, its label and the row of its camera."""

    clean: np.ndarray
    second: np.ndarray
    label: int
    camera: int


class Batch(NamedTuple):
    """Views `clean` and `second` (B, 3, H, W) uint8 of the same images.

    `labels` and `cameras` (B,) int64 are those of `TrainingImages`.
    """

    clean: Tensor
    second: Tensor
    labels: Tensor
    cameras: Tensor


class TrainingImages:
    """The training split at the network's size.

    `labels` (M,) int64 index the sorted identities, `cameras` (M,) int64 the sorted
    `camera_numbers`; `keys` name the images.
    """

    def __init__(self, reader: ShardReader, image: ImageOptions) -> None:
        self._reader = reader
        self._size = (image.width, image.height)
        self._capacity = CACHE_BYTES // (image.width * image.height * 3)
        self._cache: dict[int, np.ndarray] = {}
        self.keys: list[str] = reader.index["key"].tolist()
        identities, labels = np.unique(reader.index["identity"].to_numpy(), return_inverse=True)
        self.identities = len(identities)
        self.labels = labels.astype(np.int64)
        numbers, cameras = np.unique(reader.index["camera"].to_numpy(), return_inverse=True)
        self.camera_numbers: list[int] = numbers.tolist()
        self.cameras = cameras.astype(np.int64)

    def __len__(self) -> int:
        return len(self._reader)

    def __getitem__(self, i: int) -> np.ndarray:
        """Image `i` without augmentation, (H, W, 3) uint8, not to be written to."""
        if i in self._cache:
            return self._cache[i]
        image = resize(self._reader.image(i), self._size)
        if len(self._cache) < self._capacity:
            self._cache[i] = image
        return image


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`image` (h, w, 3) uint8 scaled to `size` = (width, height), bilinear with antialiasing."""
    if image.shape[1::-1] == size:
        return image
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def clean_view(image: np.ndarray, options: AugmentOptions, rng: np.random.Generator) -> np.ndarray:
    """Colour jitter, flip, pad with black and random crop; (H, W, 3) uint8 in and out."""
    view = _jitter(Image.fromarray(image), options.colour_jitter, rng)
    if rng.random() < options.flip:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    left, top = rng.integers(-options.pad, options.pad + 1, 2).tolist()
    # what a crop takes from outside of the image is black, so it pads as well
    return np.asarray(view.crop((left, top, left + view.width, top + view.height)))


def _jitter(image: Image.Image, amount: float, rng: np.random.Generator) -> Image.Image:
    """Brightness, contrast and saturation, each scaled by U[1 - amount, 1 + amount].

    The three steps are one affine map of the colour, so they are applied, and clipped, at once.
    """
    brightness, contrast, saturation = rng.uniform(1 - amount, 1 + amount, 3).tolist()
    shades = image.convert("L").histogram()
    mean = sum(shade * count for shade, count in enumerate(shades)) / sum(shades)
    offset = (1 - contrast) * brightness * mean
    gain = brightness * contrast
    matrix: list[float] = []
    for channel in range(3):
        row = [gain * (1 - saturation) * weight for weight in _GREY]
        row[channel] += gain * saturation
        matrix += [*row, offset]
    return image.convert("RGB", tuple(matrix))


def two_views(
    image: np.ndarray, options: AugmentOptions, occluder: Occluder | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The clean view, and the same with a part hidden; without an occluder, another clean view."""
    clean = clean_view(image, options, rng)
    if occluder is None:
        return clean, clean_view(image, options, rng)
    return clean, occluder(clean, rng)


class TwoViews(Dataset[View]):
    """Both views of the image at a place of the training."""

    def __init__(
        self, images: TrainingImages, options: AugmentOptions, occluder: Occluder | None, seed: int
    ) -> None:
        self._images = images
        self._options = options
        self._occluder = occluder
        self._seed = seed

    def __getitem__(self, place: Place) -> View:
        epoch, position, index = place
        # + 1: (seed, epoch, 0) is the stream of (seed, epoch), which draws the batches
        rng = np.random.default_rng([self._seed, epoch, position + 1])
        views = two_views(self._images[index], self._options, self._occluder, rng)
        label, camera = self._images.labels[index], self._images.cameras[index]
        return View(*views, int(label), int(camera))


class Places:
    """The places of every batch from `first_epoch` to the last epoch, identity-balanced."""

    def __init__(
        self, labels: np.ndarray, options: TrainingOptions, seed: int, first_epoch: int
    ) -> None:
        self.seed = seed
        self.first_epoch = first_epoch
        self._labels = labels
        self._options = options

    def __iter__(self) -> Iterator[list[Place]]:
        for epoch in range(self.first_epoch, self._options.epochs):
            position = 0
            for batch in self._batches(epoch).tolist():
                yield [(epoch, position + i, index) for i, index in enumerate(batch)]
                position += len(batch)

    def steps(self) -> int:
        """Batches in an epoch, the same in all."""
        return len(self._batches(0))

    def _batches(self, epoch: int) -> np.ndarray:
        options = self._options
        return epoch_batches(self._labels, options, self.seed, epoch)


def load_batches(views: TwoViews, places: Places, workers: int, pin: bool) -> Iterator[Batch]:
    """The `Batch` of each item of `places` in order; `workers` = 0 is this process."""
    loader = DataLoader(
        views,
        batch_sampler=places,
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=pin,
        generator=torch.Generator(),  # else opening a loader would advance the global generator
    )
    return iter(loader)


def _collate(views: list[View]) -> Batch:
    clean, second, labels, cameras = zip(*views, strict=True)
    return Batch(_stack(clean), _stack(second), torch.tensor(labels), torch.tensor(cameras))


def _stack(images: tuple[np.ndarray, ...]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)  # (B, 3, H, W), channels last


def normalise(images: Tensor, options: ImageOptions) -> Tensor:
    """The network's input, (B, 3, H, W) float32, of uint8 `images` on the same device."""
    mean = torch.tensor(options.mean, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(options.std, device=images.device).view(1, 3, 1, 1)
    return images.float().div_(255).sub_(mean).div_(std)
