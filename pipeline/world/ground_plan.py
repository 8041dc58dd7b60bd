"""The ground of a place: strips along a path, and marks on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.world.textures import Texture
from pipeline.world.view import Rays


class Strip(NamedTuple):
    """A kind of ground along a path, from the end of the strip before it."""

    until: float
    """Metres across the path at which the next strip begins."""
    texture: Texture
    ragged: float = 0.0
    """Metres by which the border to the next strip wanders."""
    tone: float = 1.0
    """Factor on the texture."""


class Mark(NamedTuple):
    """Something flat on the ground: a cover, a puddle, a painted line."""

    x: float
    z: float
    yaw: float
    width: float
    length: float
    texture: Texture
    """Stretched to the size of the mark."""


@dataclass(frozen=True)
class GroundPlan:
    """Strips along a path through `origin` (x, z), marks on them, and dirt over the strips."""

    origin: tuple[float, float]
    heading: float
    """Radians: 0 is a path to the right; a quarter turn, one that leads away from the camera."""
    strips: Sequence[Strip]
    marks: Sequence[Mark]
    grime: Texture
    """Colour: half the factor on the albedo; coverage: 0.5 plus the wander of the borders."""

    def albedo(self, rays: Rays, points: np.ndarray) -> np.ndarray:
        """Return the albedo (P, 3) float32 at `points` (P, 3) of the ground."""
        along, across = self._coordinates(points)
        long, wide = rays.footprint(self.heading)
        grime = self.grime.sample(along, across, long, wide)
        wander = grime[:, 3] - np.float32(0.5)
        albedo = np.zeros((len(points), 3), np.float32)
        for strip, weight in zip(self.strips, self._weights(across, wide, wander), strict=True):
            here = np.flatnonzero(weight)
            if len(here):
                seen = strip.texture.sample(along[here], across[here], long[here], wide[here])
                albedo[here] += seen[:, :3] * (weight[here, None] * np.float32(2 * strip.tone))
        albedo *= grime[:, :3]
        x, z = points[:, 0].copy(), points[:, 2].copy()
        box = (float(x.min()), float(x.max()), float(z.min()), float(z.max()))
        for mark in self.marks:
            if _may_touch(mark, box):
                _blend_mark(mark, rays, x, z, albedo)
        return albedo

    def _coordinates(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return metres (P,) along the path and, to the left of that direction, across it."""
        c, s = np.float32(math.cos(self.heading)), np.float32(math.sin(self.heading))
        x = points[:, 0] - np.float32(self.origin[0])
        z = points[:, 2] - np.float32(self.origin[1])
        return x * c - z * s, -x * s - z * c

    def _weights(
        self, across: np.ndarray, wide: np.ndarray, wander: np.ndarray
    ) -> list[np.ndarray]:
        """Return the fraction (P,) of each pixel that each strip covers."""
        weights, left = [], np.ones_like(across)
        for strip in self.strips[:-1]:
            border = across - np.float32(strip.until) + np.float32(2 * strip.ragged) * wander
            beyond = np.minimum(np.clip(border / wide + np.float32(0.5), 0, 1), left)
            weights.append(left - beyond)
            left = beyond
        return [*weights, left]


def _may_touch(mark: Mark, box: tuple[float, float, float, float]) -> bool:
    """Return whether a mark reaches into a box (lowest x, highest x, lowest z, highest z)."""
    left, right, back, front = box
    reach = math.hypot(mark.width, mark.length) / 2
    return left - reach < mark.x < right + reach and back - reach < mark.z < front + reach


def _blend_mark(mark: Mark, rays: Rays, x: np.ndarray, z: np.ndarray, albedo: np.ndarray) -> None:
    """Blend a mark into the albedo (P, 3) of the ground at `x` and `z` (P,), in place."""
    reach = np.float32(math.hypot(mark.width, mark.length) / 2)
    x, z = x - np.float32(mark.x), z - np.float32(mark.z)
    near = np.flatnonzero((np.abs(x) < reach) & (np.abs(z) < reach))
    c, s = np.float32(math.cos(mark.yaw)), np.float32(math.sin(mark.yaw))
    u, v = x[near] * c - z[near] * s, x[near] * s + z[near] * c
    inside = (np.abs(u) < mark.width / 2) & (np.abs(v) < mark.length / 2)
    near, u, v = near[inside], u[inside], v[inside]
    if not len(near):
        return
    wide, long = rays.subset(near).footprint(mark.yaw)
    across = np.float32(mark.texture.size[1] / mark.width)
    down = np.float32(mark.texture.size[0] / mark.length)
    u, v = (u + np.float32(mark.width / 2)) * across, (v + np.float32(mark.length / 2)) * down
    seen = mark.texture.sample(u, v, wide * across, long * down)
    albedo[near] = seen[:, :3] + (1 - seen[:, 3:]) * albedo[near]
