"""Rays of pixels, and how much of the ground each pixel covers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

_FAR = 200.0  # metres: depth of rays that meet nothing


@dataclass(frozen=True)
class Cone:
    """Rays of P pixels from one eye."""

    eye: np.ndarray
    """(3,) float32 metres."""
    rays: np.ndarray
    """(P, 3) float32, of depth 1."""
    pixel: float
    """Size of a pixel at depth 1."""

    def part(self, rows: np.ndarray) -> Cone:
        """The cone of the rays in `rows`."""
        return replace(self, rays=self.rays[rows])

    def ground_depth(self) -> np.ndarray:
        """(P,) depth at which the rays meet the ground."""
        down = np.maximum(-self.rays[:, 1], np.float32(1e-4))
        return np.minimum(self.eye[1] / down, np.float32(_FAR))

    def footprint(self, heading: float) -> tuple[np.ndarray, np.ndarray]:
        """Metres of ground (P,) that a pixel covers along a heading and across it."""
        depth = self.ground_depth()
        x, y, z = self.rays.T
        wide = depth * np.float32(self.pixel)
        long = wide * np.sqrt(x * x + y * y + z * z) / np.maximum(-y, np.float32(1e-3))
        middle = self.rays[len(self.rays) // 2]
        seen = math.atan2(-float(middle[2]), float(middle[0])) - heading
        c, s = np.float32(math.cos(seen)), np.float32(math.sin(seen))
        along = np.sqrt((long * c) ** 2 + (wide * s) ** 2)
        return along, np.sqrt((long * s) ** 2 + (wide * c) ** 2)
