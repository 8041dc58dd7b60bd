"""The skull under hair and headwear, which follow its convex hull."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from pipeline.world.clothes import Piece, tube_piece
from pipeline.world.materials import Material
from pipeline.world.tubes import Tailor, hull_radii, smoothed, smoothstep, unit_circle

COLUMNS = 28
"""Points of a ring around the head, less the repeated one."""
POLAR = np.radians([0, 15, 29, 42, 54, 65, 75, 84, 92, 100, 108])
"""(R,) angles of the rings on the skull from the crown."""
TURN = np.linspace(-math.pi, math.pi, COLUMNS + 1)
"""(C,) angles of the points of a ring from the front, to the left."""
UPWARD = np.cos(POLAR)[:, None].clip(0, 1)
"""(R, 1): 1 at the crown, 0 from the largest ring down."""
HEAD_HEIGHT = 0.145
"""Metres from the head's joint to the crown on the average body."""

_DROP_STEP = 0.04  # metres between the rings below the skull
_MIN_FACING = 0.4  # see `hull_radii`


def _directions() -> np.ndarray:
    """Return unit vectors (R, C, 3), ring by ring from the crown."""
    cosines, sines = unit_circle(COLUMNS)
    out, up = np.sin(POLAR)[:, None], np.cos(POLAR)[:, None]
    return np.stack([out * sines, up + 0 * sines, out * cosines], 2).round(9)


_DIRECTIONS = _directions()
_FACING = sum(axis[:, None] * axis for axis in _DIRECTIONS.reshape(-1, 3).T)


class Skull:
    """The convex hull of one head."""

    def __init__(self, tailor: Tailor) -> None:
        self.tailor = tailor
        vertices = tailor.shape.vertices.astype(np.float64)
        own = (tailor.body.weight_of("head") > 0.6) & (np.abs(vertices[:, 0]) < 0.08)
        own &= ~tailor.body.eyes
        points = vertices[own]
        self.joint = tailor.joint("head")
        self.unit = float(vertices[:, 1].max() - self.joint[1])
        """Metres from the joint to the crown."""
        above = points[points[:, 1] > self.joint[1]]
        depth = (above[:, 2].min() + above[:, 2].max()) / 2
        self.centre = np.array([0, self.joint[1] + 0.35 * self.unit, depth - 0.004])
        self.radii = _hull_radii(points - self.centre)
        """(R, C) metres from the centre to the hull."""

    def level(self, vertices: np.ndarray) -> np.ndarray:
        """Return relative heights (...): 0 at the head's joint, 1 at the crown."""
        return (vertices[..., 1] - self.joint[1]) / self.unit

    @cached_property
    def levels(self) -> np.ndarray:
        """(R, C) relative heights of the points of the hull."""
        return self.level(self.centre + self.radii[..., None] * _DIRECTIONS)

    def at(self, turn: float, level: float, gap: float = 0.0) -> np.ndarray:
        """Return the point (3,) `gap` metres off the skull at `turn` radians from the front."""
        column = round((turn / math.pi + 1) / 2 * COLUMNS)
        row = int(np.abs(self.levels[:, column] - level).argmin())
        return self.centre + (self.radii[row, column] + gap) * _DIRECTIONS[row, column]

    def shell(
        self, thickness: float | np.ndarray, drop: float = 0.0, spread: float = 0.0
    ) -> np.ndarray:
        """Return rings (R + D, C, 3) `thickness` (R, C) metres off the skull, from the crown down.

        D rings hang `drop` metres below the skull; `spread` is their relative growth over one head
        height.
        """
        on_skull = self.centre + (self.radii + thickness)[..., None] * _DIRECTIONS
        rows = max(2, round(drop / _DROP_STEP)) if drop > 0 else 0
        falls = np.linspace(0, drop, rows + 1)[1:, None, None]
        last = on_skull[-1]
        outwards = (last - self.centre) * np.array([1, 0, 1])
        hanging = last + spread * falls * outwards / self.unit - falls * np.array([0, 1.0, 0])
        vertices = np.concatenate([on_skull, self._clear_of_back(hanging)])
        if rows:
            flowing = smoothed(smoothed(vertices[..., 2]))
            vertices[len(on_skull) - 3 :, :, 2] = flowing[len(on_skull) - 3 :]
        return vertices

    def _clear_of_back(self, hanging: np.ndarray) -> np.ndarray:
        """Move the hanging rings (R, C, 3) out of the back and the chest, in place."""
        vertices = self.tailor.shape.vertices
        trunk = (self.tailor.arm_weight < 0.3) & (np.abs(vertices[:, 0]) < 0.09)
        y, z = vertices[trunk, 1], vertices[trunk, 2]
        for ring in hanging:
            near = np.abs(y - ring[0, 1]) < 0.03
            if near.any():
                back, front = float(z[near].min()) - 0.035, float(z[near].max()) + 0.035
                behind = ring[:, 2] < self.centre[2] - 0.02
                low = ring[:, 1] < self.joint[1] - self.unit
                depth = np.where(behind, np.minimum(ring[:, 2], back), ring[:, 2])
                ring[:, 2] = np.where(~behind & low, np.maximum(depth, front), depth)
        return hanging

    def piece(
        self,
        name: str,
        rings: np.ndarray,
        material: Material,
        cut: np.ndarray,
        folds: ArrayLike = 0.0,
        two_sided: bool = False,
    ) -> Piece:
        """Make a piece of `rings` (R, C, 3): it follows the head, further down the back."""
        y = rings[..., 1].ravel()
        head = smoothstep(y, self.tailor.heights.neck - 0.02, float(self.joint[1]) - 0.02)
        below = 1 - head
        skin = self.tailor.skin({"head": head, "neck_01": 0.3 * below, "spine_03": 0.7 * below})
        return tube_piece(name, rings, skin, material, folds, cut, two_sided=two_sided)


def _hull_radii(points: np.ndarray) -> np.ndarray:
    """Return the distance (R, C) from the origin to the convex hull of `points` (N, 3)."""
    x, y, z = points.T
    supports = [
        (ring[:, :1] * x + ring[:, 1:2] * y + ring[:, 2:] * z).max(1) for ring in _DIRECTIONS
    ]
    radii = hull_radii(np.concatenate(supports), _FACING, _MIN_FACING)
    return radii.reshape(_DIRECTIONS.shape[:2])
