"""Which surface of a scene each sample of a crop shows, found before anything is coloured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.world.raster import barycentric, fragments, nearest
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
        self._stacked = stacked = _stack(drawn, surfaces)
        self._fragments = fragments(stacked.points, stacked.triangles, self._fine.size, stacked.cut)
        self.samples = nearest(self._fragments, self._fine.size)
        self.owner = stacked.items[self.samples.triangles]
        self.rows = stacked.rows[self.samples.triangles]
        self.parts = stacked.parts[self.samples.triangles]

    def weights(self, samples: np.ndarray) -> np.ndarray:
        """(P, 3) float32 barycentric weights at `samples` (P,), corrected for perspective."""
        triangles = self._stacked.triangles[self.samples.triangles[samples]]
        places = self.samples.places[samples]
        return barycentric(self._stacked.points, triangles, places, self._fine.size[1])

    def visible_fraction(self, item: int, count: int = 1) -> float:
        """Fraction of the pixels of a surface in the crop that nothing hides; 0 if it has none.

        With `count`, of so many surfaces from `item` on, which do not hide each other.
        """
        ends = self._stacked.first[[item, item + count]]
        start, end = np.searchsorted(self._fragments.triangles, ends)
        alone = np.zeros(self._fine.size[0] * self._fine.size[1], bool)
        alone[self._fragments.places[start:end]] = True
        shown = (self.owner >= item) & (self.owner < item + count)
        return float(shown.sum() / max(1, alone.sum()))

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
    """(S + 1,) first triangle of each surface, and the number of all."""
    items: np.ndarray
    """(T,) surface of each triangle."""
    rows: np.ndarray
    """(T,) row of each triangle in its own surface."""
    parts: np.ndarray
    """(T,) uint8 indices in `PARTS`."""


class _Drawn(NamedTuple):
    points: np.ndarray
    rows: np.ndarray


def _visible_triangles(view: View, surface: Surface) -> _Drawn:
    """Projected vertices, and the rows of the triangles that can be seen."""
    points = view.project(surface.vertices)
    corners = points.T.take(surface.triangles.T, 1)  # (xyz, 3, T)
    x, y, _ = corners
    low, high = corners.min(1), corners.max(1)
    facing = (x[1] - x[0]) * (y[2] - y[0]) < (y[1] - y[0]) * (x[2] - x[0])
    height, width = view.size
    seen = (facing | surface.two_sided) & (low[2] > NEAR)
    seen &= (high[0] > 0) & (low[0] < width) & (high[1] > 0) & (low[1] < height)
    return _Drawn(points, np.flatnonzero(seen))


def _stack(drawn: Sequence[_Drawn], surfaces: Sequence[Surface]) -> _Stacked:
    offsets = np.cumsum([0, *(len(d.points) for d in drawn)])
    first = np.cumsum([0, *(len(d.rows) for d in drawn)])
    both = list(zip(drawn, surfaces, strict=True))
    triangles = [s.triangles[d.rows] + o for (d, s), o in zip(both, offsets, strict=False)]
    return _Stacked(
        np.concatenate([np.zeros((0, 3), np.float32), *(d.points for d in drawn)]),
        np.concatenate([np.zeros((0, 3), np.int64), *triangles]),
        np.concatenate([np.zeros(0, np.float32), *(cut_of(s) for s in surfaces)]),
        first,
        np.repeat(np.arange(len(drawn)), np.diff(first)),
        np.concatenate([np.zeros(0, np.int64), *(d.rows for d in drawn)]),
        np.concatenate([np.zeros(0, np.uint8), *(s.parts[d.rows] for d, s in both)]),
    )


def cut_of(surface: Surface) -> np.ndarray:
    """(V,) float32 `cut` of a surface; 1 everywhere where it has no holes."""
    if surface.cut is None:
        return np.ones(len(surface.vertices), np.float32)
    return surface.cut
