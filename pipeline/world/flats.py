"""Upright textured rectangles that stand on the ground: walls, hedges, fences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.world.surfaces import dot
from pipeline.world.textures import Texture
from pipeline.world.view import Rays

_FOOT = 0.3  # metres from a wall's foot at which it hides half as much of the sky


class Hits(NamedTuple):
    """N of P rays that meet a flat."""

    rays: np.ndarray
    """(N,) indices of the P rays."""
    points: np.ndarray
    """(N, 3) float32 metres."""
    depth: np.ndarray
    """(N,) float32."""


@dataclass(frozen=True)
class Flat:
    """An upright textured rectangle on the ground."""

    x: float
    z: float
    yaw: float
    """Radians: 0 faces +z."""
    start: float
    """Metres from (x, z) to the left edge, positive to the right as seen from the front."""
    end: float
    """The same to the right edge."""
    texture: Texture
    opaque: bool
    """Without gaps, and it reaches above the view of every camera."""

    @property
    def normal(self) -> np.ndarray:
        """(3,) float32."""
        return np.array([math.sin(self.yaw), 0, math.cos(self.yaw)], np.float32)

    @property
    def right(self) -> np.ndarray:
        """(3,) float32 direction of the lower edge."""
        return np.array([math.cos(self.yaw), 0, -math.sin(self.yaw)], np.float32)

    def depth(self, rays: Rays) -> np.ndarray:
        """Return the depth (P,) of the flat's plane, negative behind the eye."""
        normal, foot = self.normal, np.array([self.x, 0, self.z], np.float32)
        facing = dot(rays.directions, normal)
        facing = np.where(np.abs(facing) < 1e-4, np.float32(1e-4), facing)
        offset = foot - rays.eye
        return (offset[0] * normal[0] + offset[2] * normal[2]) / facing

    def hits(self, rays: Rays, nearest: np.ndarray) -> Hits:
        """Find the rays that meet the flat at a depth below `nearest` (P,)."""
        depth = self.depth(rays)
        rows = np.flatnonzero((depth > 0) & (depth < nearest))
        points = rays.eye + rays.directions[rows] * depth[rows, None]
        u = self._along(points[:, 0], points[:, 2])
        inside = (u > self.start) & (u < self.end) & (points[:, 1] > 0)
        if not self.opaque:
            inside &= points[:, 1] < self.texture.size[0]
        rows = rows[inside]
        return Hits(rows, points[inside], depth[rows])

    def appearance(self, rays: Rays, points: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Return colour and coverage (P, 4) where rays meet the flat at `points` (P, 3)."""
        facing = np.abs(dot(rays.directions, self.normal))
        tall = depth * np.float32(rays.pixel)
        height = np.float32(self.texture.size[0])
        rim = np.maximum(tall, np.float32(self.texture.texel)) / 2
        down = np.clip(height - points[:, 1], rim, height - rim)
        along = self._along(points[:, 0], points[:, 2])
        return self.texture.sample(along, down, tall / np.maximum(facing, np.float32(0.05)), tall)

    def foot_shade(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the fraction of the sky, 0 to 0.5, that the flat hides from the ground."""
        distance = self._offset(x, z, self.normal) / np.float32(_FOOT)
        along = self._along(x, z)
        inside = (along > self.start) & (along < self.end)
        return np.where(inside, np.float32(0.5) / (1 + distance * distance), 0)

    def _along(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return self._offset(x, z, self.right)

    def _offset(self, x: np.ndarray, z: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Return the distance in metres from the flat's (x, z) along `direction` (3,)."""
        return (x - np.float32(self.x)) * direction[0] + (z - np.float32(self.z)) * direction[2]
