"""What a camera sees of the world: projection, rays, and the crop around somebody."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.world.surfaces import rotated

NEAR = 0.5
"""Metres: what is nearer to the eye is not drawn."""


@dataclass(frozen=True)
class Framing:
    """Where a person is in the crop."""

    fill: float = 0.92
    """Height of the person over that of the crop; more than 1 cuts the head or the feet."""
    right: float = 0.0
    """Shift of the person's middle, as a fraction of the crop's width."""
    down: float = 0.0
    """The same of its height."""


@dataclass(frozen=True)
class View:
    """A crop of `size` (height, width) pixels, seen from `eye` (3,) metres."""

    eye: np.ndarray
    rotation: np.ndarray
    """(3, 3) float32: world to camera, which looks along -z."""
    scale: float
    """Pixels per unit of x / depth."""
    middle: tuple[float, float]
    """Pixel (x, y) of the camera's axis."""
    size: tuple[int, int]

    @classmethod
    def around(
        cls, points: np.ndarray, eye: np.ndarray, size: tuple[int, int], framing: Framing
    ) -> View:
        """The view whose crop holds `points` (N, 3) as `framing` says."""
        low, high = points.min(0), points.max(0)
        rotation = _looking((low + high) / 2 - eye)
        seen = rotated(points - eye, rotation)
        flat = np.stack([seen[:, 0], -seen[:, 1]], 1) / -seen[:, 2:]
        low, high = flat.min(0), flat.max(0)
        scale = float(size[0] * framing.fill / (high[1] - low[1]))
        x, y = (low + high) / 2 * scale
        middle = (
            size[1] * (0.5 + framing.right) - float(x),
            size[0] * (0.5 + framing.down) - float(y),
        )
        return cls(eye.astype(np.float32), rotation, scale, middle, size)

    def resized(self, size: tuple[int, int]) -> View:
        """The same crop with other pixels: `size` is a multiple or a fraction of its own."""
        factor = size[0] / self.size[0]
        x, y = self.middle
        return View(self.eye, self.rotation, self.scale * factor, (x * factor, y * factor), size)

    def shows(self, points: np.ndarray) -> bool:
        """Whether the box around the `points` (N, 3) may reach into the crop."""
        low, high = points.min(0), points.max(0)
        radius = float(np.linalg.norm(high - low)) / 2
        x, y, depth = (float(v) for v in self.project((low + high)[None] / 2)[0])
        if depth - radius < NEAR:
            return depth + radius > NEAR
        reach = radius * self.scale / (depth - radius)
        height, width = self.size
        return -reach < x < width + reach and -reach < y < height + reach

    def project(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) float32 of `points` (N, 3): x and y in pixels, depth in metres."""
        x, y, z = rotated(points - self.eye, self.rotation).T
        factor = np.float32(self.scale) / np.maximum(-z, np.float32(NEAR))
        right = x * factor + np.float32(self.middle[0])
        down = -y * factor + np.float32(self.middle[1])
        return np.stack([right, down, -z]).T

    def rays(self, places: np.ndarray) -> np.ndarray:
        """(N, 3) float32 directions, of depth 1, through the centres of pixels (flat indices)."""
        y, x = np.divmod(places, self.size[1])
        right = (x.astype(np.float32) + np.float32(0.5 - self.middle[0])) / np.float32(self.scale)
        down = (y.astype(np.float32) + np.float32(0.5 - self.middle[1])) / np.float32(self.scale)
        return rotated(np.stack([right, -down, np.full_like(right, -1)], 1), self.rotation.T)


def _looking(direction: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) that takes `direction` to -z and keeps the horizon level."""
    back = -direction / np.linalg.norm(direction)
    right = np.array([back[2], 0, -back[0]])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(back, right), back]).astype(np.float32)
