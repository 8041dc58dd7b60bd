"""Which surface of a scene each sample of a crop shows, found before anything is coloured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.world.raster import Samples, rasterise
from pipeline.world.surfaces import Surface
from pipeline.world.view import NEAR, View

FINE = 2
"""Samples along each side of a pixel."""


class Geometry:
    """Visibility of surfaces in a crop; cheap, so that a crop can be judged before it is shaded."""

    def __init__(self, view: View, surfaces: Sequence[Surface]) -> None:
        self.view, self.surfaces = view, surfaces
        self._fine = view.resized((view.size[0] * FINE, view.size[1] * FINE))
        drawn = [_visible_triangles(self._fine, surface) for surface in surfaces]
        self._stacked = _stack(drawn, surfaces)
        self.samples = self._rasterise(self._stacked)
        first = self._stacked.first
        self.owner = np.searchsorted(first, self.samples.triangles, side="right") - 1
        self.rows = self._stacked.rows[self.samples.triangles]

    def _rasterise(self, stacked: _Stacked) -> Samples:
        return rasterise(stacked.points, stacked.triangles, self._fine.size, stacked.cut)

    def visible_fraction(self, item: int, count: int = 1) -> float:
        """Fraction of the pixels of a surface in the crop that nothing hides; 0 if it has none.

        With `count`, of so many surfaces from `item` on, which do not hide each other.
        """
        alone = self._rasterise(_some(self._stacked, item, item + count))
        shown = (self.owner >= item) & (self.owner < item + count)
        return float(shown.sum() / max(1, len(alone.places)))

    def fraction_of_crop(self, item: int) -> float:
        """Fraction of the crop's pixels that show the surface."""
        height, width = self._fine.size
        return float((self.owner == item).sum() / (height * width))


class _Stacked(NamedTuple):
    """All surfaces as one."""

    points: np.ndarray
    triangles: np.ndarray
    cut: np.ndarray
    first: np.ndarray
    """(S,) first triangle of each surface."""
    rows: np.ndarray
    """(T,) row of each triangle in its own surface."""


class _Drawn(NamedTuple):
    points: np.ndarray
    rows: np.ndarray


def _visible_triangles(view: View, surface: Surface) -> _Drawn:
    """Projected vertices, and the rows of the triangles that can be seen."""
    points = view.project(surface.vertices)
    first, second, third = (points[corner].T for corner in surface.triangles.T)  # (3, T) each
    low, high = (function(function(first, second), third) for function in (np.minimum, np.maximum))
    across, along = second - first, third - first
    facing = across[0] * along[1] < across[1] * along[0]
    height, width = view.size
    seen = (facing | surface.two_sided) & (low[2] > NEAR)
    seen &= (high[0] > 0) & (low[0] < width) & (high[1] > 0) & (low[1] < height)
    return _Drawn(points, np.flatnonzero(seen))


def _stack(drawn: Sequence[_Drawn], surfaces: Sequence[Surface]) -> _Stacked:
    offsets = np.cumsum([0, *(len(d.points) for d in drawn)])
    first = np.cumsum([0, *(len(d.rows) for d in drawn)])
    return _Stacked(
        np.concatenate([np.zeros((0, 3), np.float32), *(d.points for d in drawn)]),
        np.concatenate(
            [
                np.zeros((0, 3), np.int64),
                *(
                    s.triangles[d.rows] + o
                    for d, s, o in zip(drawn, surfaces, offsets, strict=False)
                ),
            ]
        ),
        np.concatenate([np.zeros(0, np.float32), *(cut_of(s) for s in surfaces)]),
        first[:-1],
        np.concatenate([np.zeros(0, np.int64), *(d.rows for d in drawn)]),
    )


def _some(stacked: _Stacked, item: int, end: int) -> _Stacked:
    """The triangles of the surfaces from `item` up to `end`."""
    bounds = [*stacked.first, len(stacked.triangles)]
    return stacked._replace(triangles=stacked.triangles[bounds[item] : bounds[end]])


def cut_of(surface: Surface) -> np.ndarray:
    """(V,) float32 `cut` of a surface; 1 everywhere where it has no holes."""
    if surface.cut is None:
        return np.ones(len(surface.vertices), np.float32)
    return surface.cut
