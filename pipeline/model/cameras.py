"""Camera embedding, the side information of TransReID (arXiv 2102.04378)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pipeline.errors import InputError


class CameraEmbedding(nn.Module):
    """A learned vector for each camera of the training images."""

    def __init__(self, cameras: Sequence[int], width: int, strength: float) -> None:
        """Take the numbers `cameras` of C cameras and the `width` D of the tokens."""
        super().__init__()
        self.strength = strength
        self._rows = {camera: row for row, camera in enumerate(cameras)}
        self.table = nn.Parameter(torch.empty(len(cameras), width))
        nn.init.trunc_normal_(self.table, std=0.02)

    def rename(self, numbers: Mapping[int, int]) -> None:
        """Renumber the cameras: `numbers` maps new to present numbers; drop all others."""
        self._rows = {camera: self._rows[number] for camera, number in numbers.items()}

    def forward(self, rows: Tensor | None) -> Tensor:
        """Return the vector to add to each token, (B, D), for `rows` (B,) int64 of the table."""
        if rows is None:
            raise ValueError("camera embedding: expected the camera of each image, found None")
        return self.strength * self.table[rows]

    def rows(self, cameras: Sequence[int], keys: Sequence[str]) -> Tensor:
        """Return the row (B,) int64 of each image's camera; `keys` name the images.

        Raises InputError for a camera that is not in the table.
        """
        for key, camera in zip(keys, cameras, strict=True):
            if camera not in self._rows:
                seen = ", ".join(map(str, self._rows))
                raise InputError(
                    f"image {key}: found camera {camera}, expected one of the training images "
                    f"({seen}): train with backbone.camera_embedding 0, or train on images of "
                    f"camera {camera} too"
                )
        return torch.tensor([self._rows[camera] for camera in cameras])
