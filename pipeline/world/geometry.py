"""Visible surface at each sample of a crop, determined before shading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.world.raster import barycentric, fragments, nearest
from pipeline.world.surfaces import Surface, boxes
from pipeline.world.view import NEAR, View

FINE = 2
"""Samples along each side of a pixel."""

_SLACK = 1  # pixels by which the bounds of a surface are widened: more than rounding
_NOTHING = np.zeros((0, 3), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
"""Points, cut and rows of a surface outside of the image."""


class Geometry:
    """Visibility of surfaces in a crop; a crop is accepted or rejected by it before shading."""

    def __init__(self, view: View, surfaces: Sequence[Surface]) -> None:
        self.view, self.surfaces = view, surfaces
        self._fine = view.resized((view.size[0] * FINE, view.size[1] * FINE))
        self._stacked = stacked = _stack(_projected(self._fine, surfaces))
        self._fragments = fragments(stacked.points, stacked.triangles, self._fine.size, stacked.cut)
        self.samples = nearest(self._fragments, self._fine.size)
        self.owner = stacked.items[self.samples.triangles]
        self.rows = stacked.rows[self.samples.triangles]
        self.parts = stacked.parts[self.samples.triangles]

    def weights(self, samples: np.ndarray) -> np.ndarray:
        """Return perspective-correct barycentric weights (P, 3) float32 at `samples` (P,)."""
        triangles = self._stacked.triangles[self.samples.triangles[samples]]
        places = self.samples.places[samples]
        return barycentric(self._stacked.points, triangles, places, self._fine.size[1])

    def visible_fraction(self, item: int, count: int = 1) -> float:
        """Return the fraction of a surface's samples in the crop that nothing hides, or 0.

        Counts `count` surfaces from `item` on as one, which do not hide each other.
        """
        ends = self._stacked.first[[item, item + count]]
        start, end = np.searchsorted(self._fragments.triangles, ends)
        alone = np.zeros(self._fine.size[0] * self._fine.size[1], bool)
        alone[self._fragments.places[start:end]] = True
        shown = (self.owner >= item) & (self.owner < item + count)
        return float(shown.sum() / max(1, alone.sum()))

    def fraction_of_crop(self, item: int) -> float:
        """Return the fraction of the crop's samples that show the surface."""
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


class _Projected(NamedTuple):
    """One surface; without any vertices if it lies outside of the image."""

    surface: Surface
    points: np.ndarray
    cut: np.ndarray
    rows: np.ndarray
    """Rows of the triangles that can be seen."""


def _projected(view: View, surfaces: Sequence[Surface]) -> list[_Projected]:
    low, high = view.bounds(boxes(surfaces))
    size = np.array([view.size[1], view.size[0]], np.float32)
    inside = (high[:, :2] > -_SLACK) & (low[:, :2] < size + _SLACK)
    return [
        _project(view, surface) if near.all() else _Projected(surface, *_NOTHING)
        for surface, near in zip(surfaces, inside, strict=True)
    ]


def _project(view: View, surface: Surface) -> _Projected:
    points = view.project(surface.vertices)
    corners = points.T.take(surface.triangles.T, 1)  # (xyz, 3, T)
    x, y, _ = corners
    low, high = corners.min(1), corners.max(1)
    facing = (x[1] - x[0]) * (y[2] - y[0]) < (y[1] - y[0]) * (x[2] - x[0])
    height, width = view.size
    seen = (facing | surface.two_sided) & (low[2] > NEAR)
    seen &= (high[0] > 0) & (low[0] < width) & (high[1] > 0) & (low[1] < height)
    return _Projected(surface, points, cut_of(surface), np.flatnonzero(seen))


def _stack(projected: Sequence[_Projected]) -> _Stacked:
    offsets = np.cumsum([0, *(len(p.points) for p in projected)])
    first = np.cumsum([0, *(len(p.rows) for p in projected)])
    triangles = [
        p.surface.triangles.take(p.rows, 0) + offset
        for p, offset in zip(projected, offsets, strict=False)
    ]
    parts = [p.surface.parts.take(p.rows) for p in projected]
    return _Stacked(
        points=np.concatenate([_NOTHING[0], *(p.points for p in projected)]),
        triangles=np.concatenate([np.zeros((0, 3), np.int64), *triangles]),
        cut=np.concatenate([_NOTHING[1], *(p.cut for p in projected)]),
        first=first,
        items=np.repeat(np.arange(len(projected)), np.diff(first)),
        rows=np.concatenate([_NOTHING[2], *(p.rows for p in projected)]),
        parts=np.concatenate([np.zeros(0, np.uint8), *parts]),
    )


def cut_of(surface: Surface) -> np.ndarray:
    """Return the `cut` (V,) float32 of a surface: 1 everywhere if it has no holes."""
    if surface.cut is None:
        return np.ones(len(surface.vertices), np.float32)
    return surface.cut
