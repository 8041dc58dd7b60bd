"""The training split as arrays: images, labels and cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.data.images import Size, resize
from pipeline.options.run import ImageOptions

if TYPE_CHECKING:  # a training step needs no pandas
    from pipeline.data.shards import ShardReader

CACHE_BYTES = 512 * 2**20
"""Size limit of the cache of decoded images."""


class TrainingImages:
    """The M images of the training split.

    `labels` (M,) int64 index the sorted identities and `cameras` (M,) int64 the sorted
    `camera_numbers`; `datasets` (M,) int64 index the datasets of a joint training set.
    """

    def __init__(self, reader: ShardReader, image: ImageOptions) -> None:
        self._reader = reader
        self.size: Size = (image.width, image.height)
        self._cache: dict[int, np.ndarray] = {}
        self._cached_bytes = 0
        identities, labels = np.unique(reader.index["identity"].to_numpy(), return_inverse=True)
        self.identities = len(identities)
        self.labels = labels.astype(np.int64)
        numbers, cameras = np.unique(reader.index["camera"].to_numpy(), return_inverse=True)
        self.camera_numbers: list[int] = numbers.tolist()
        self.cameras = cameras.astype(np.int64)
        self.datasets = np.zeros(len(labels), np.int64)
        if "dataset" in reader.index:
            self.datasets = reader.index["dataset"].to_numpy(np.int64)

    @property
    def keys(self) -> list[str]:
        """The keys of the shards."""
        return self._reader.index["key"].tolist()  # not kept: millions take half a gigabyte

    def __len__(self) -> int:
        return len(self._reader)

    def __getitem__(self, i: int) -> np.ndarray:
        """Return image `i` as for testing, resized to the network's input, (H, W, 3) uint8."""
        return resize(self.source(i), self.size)

    def source(self, i: int) -> np.ndarray:
        """Return image `i` at its original size, (h, w, 3) uint8; read-only, for it is cached."""
        if i in self._cache:
            return self._cache[i]
        image = self._reader.image(i)
        if self._cached_bytes + image.nbytes <= CACHE_BYTES:
            self._cache[i] = image
            self._cached_bytes += image.nbytes
        return image
