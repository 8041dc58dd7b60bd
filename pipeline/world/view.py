"""Projection of the world to a crop, and the rays of its pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from pipeline.world.surfaces import rotated

NEAR = 0.5
"""Metres: what is nearer to the eye is not rendered."""
_FAR = 200.0  # metres: depth of rays that do not meet the ground


@dataclass(frozen=True)
class Rays:
    """Rays of P pixels from one eye."""

    eye: np.ndarray
    """(3,) float32 metres."""
    directions: np.ndarray
    """(P, 3) float32, of depth 1."""
    pixel: float
    """Size of a pixel at depth 1."""

    def subset(self, rows: np.ndarray) -> Rays:
        """Select rays by their indices (N,)."""
        return replace(self, directions=self.directions[rows])

    def ground_depth(self) -> np.ndarray:
        """Return the depth (P,) at which the rays meet the ground."""
        down = np.maximum(-self.directions[:, 1], np.float32(1e-4))
        return np.minimum(self.eye[1] / down, np.float32(_FAR))

    def footprint(self, heading: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the metres of ground (P,) that a pixel covers along a heading and across it."""
        x, y, z = self.directions.T
        wide = self.ground_depth() * np.float32(self.pixel)
        long = wide * np.sqrt(x * x + y * y + z * z) / np.maximum(-y, np.float32(1e-3))
        middle = self.directions[len(self.directions) // 2]
        seen = math.atan2(-float(middle[2]), float(middle[0])) - heading
        c, s = np.float32(math.cos(seen)), np.float32(math.sin(seen))
        along = np.sqrt((long * c) ** 2 + (wide * s) ** 2)
        return along, np.sqrt((long * s) ** 2 + (wide * c) ** 2)


@dataclass(frozen=True)
class Framing:
    """Position and size of a person in the crop."""

    fill: float = 0.92
    """Height of the person over that of the crop; more than 1 cuts the head or the feet."""
    right: float = 0.0
    """Shift of the person's centre, as a fraction of the crop's width."""
    down: float = 0.0
    """Shift as a fraction of its height."""


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
        """Return the view whose crop holds `points` (N, 3) as `framing` says."""
        low, high = points.min(0), points.max(0)
        rotation = _looking((low + high) / 2 - eye)
        x, y, z = rotated(points - eye, rotation).T
        flat = np.stack([x, -y]) / -z
        low, high = flat.min(1), flat.max(1)
        scale = float(size[0] * framing.fill / (high[1] - low[1]))
        x, y = (low + high) / 2 * scale
        right = size[1] * (0.5 + framing.right) - float(x)
        down = size[0] * (0.5 + framing.down) - float(y)
        return cls(eye.astype(np.float32), rotation, scale, (right, down), size)

    def resized(self, size: tuple[int, int]) -> View:
        """Return the same crop in another resolution, with the same aspect ratio."""
        factor = size[0] / self.size[0]
        x, y = self.middle
        return View(self.eye, self.rotation, self.scale * factor, (x * factor, y * factor), size)

    def shows(self, boxes: np.ndarray) -> np.ndarray:
        """Return whether the sphere around each of the `boxes` (N, 2, 3) reaches into the crop.

        A box is its lowest and its highest x, y and z.
        """
        low, high = boxes.swapaxes(0, 1)
        radius = np.array([np.linalg.norm(size) for size in high - low], np.float64) / 2
        x, y, depth = self.project((low + high) / 2).T.astype(np.float64)
        nearest = depth - radius
        reach = radius * self.scale / np.maximum(nearest, NEAR)
        height, width = self.size
        inside = (-reach < x) & (x < width + reach) & (-reach < y) & (y < height + reach)
        return np.where(nearest < NEAR, depth + radius > NEAR, inside)

    def bounds(self, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the lowest and the highest x, y and depth (N, 3) of `boxes` (N, 2, 3).

        x and y are infinite if the box reaches nearer than `NEAR`.
        """
        corners = np.stack([boxes[:, row, range(3)] for row in product((0, 1), repeat=3)], 1)
        projected = self.project(corners.reshape(-1, 3)).reshape(-1, 8, 3)
        low, high = projected.min(1), projected.max(1)
        near = low[:, 2] < NEAR
        low[near, :2], high[near, :2] = -np.inf, np.inf
        return low, high

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project `points` (N, 3); return (N, 3) float32: x and y in pixels, depth in metres."""
        projected = rotated(points - self.eye, self.rotation)
        x, y, z = projected.T
        np.negative(z, out=z)
        factor = np.float32(self.scale) / np.maximum(z, np.float32(NEAR))
        x *= factor
        x += np.float32(self.middle[0])
        np.negative(y, out=y)
        y *= factor
        y += np.float32(self.middle[1])
        return projected

    def rays(self, pixels: np.ndarray) -> Rays:
        """Return the rays through the centres of `pixels` (P,), flat indices of the crop."""
        y, x = np.divmod(pixels, self.size[1])
        right = (x.astype(np.float32) + np.float32(0.5 - self.middle[0])) / np.float32(self.scale)
        down = (y.astype(np.float32) + np.float32(0.5 - self.middle[1])) / np.float32(self.scale)
        towards = np.stack([right, -down, np.full_like(right, -1)], 1)
        return Rays(self.eye, rotated(towards, self.rotation.T), 1 / self.scale)


def _looking(direction: np.ndarray) -> np.ndarray:
    """Return the rotation (3, 3) that takes `direction` to -z and keeps the horizon level."""
    back = -direction / np.linalg.norm(direction)
    right = np.array([back[2], 0, -back[0]])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(back, right), back]).astype(np.float32)
