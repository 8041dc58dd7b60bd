"""A z-buffer in numpy: triangles are cut into rows and rows into samples, without a loop."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_EDGE = 1e-4  # pixels by which a row is longer, so that neighbours leave no crack
_MIN_AREA = 1e-6  # square pixels


class Samples(NamedTuple):
    """The nearest surface at each of the P samples of an image that show one."""

    places: np.ndarray
    """(P,) int64 flat indices of the image, rising."""
    triangles: np.ndarray
    """(P,) int64 rows of the triangles."""
    weights: np.ndarray
    """(P, 3) float32 barycentric weights, corrected for perspective."""
    depth: np.ndarray
    """(P,) float32, in the unit of the points."""


class _Planes(NamedTuple):
    """Per triangle, values a x + b y + c over the image: each field is a list of (a, b, c)."""

    weights: list[np.ndarray]
    """Three arrays (3, T): the barycentric weights before the correction for perspective."""
    nearness: np.ndarray
    """(3, T): 1 / depth."""
    cut: np.ndarray | None
    """(3, T)."""


class _Rows(NamedTuple):
    """Stretches of samples in one row of the image, each of one triangle."""

    triangles: np.ndarray
    y: np.ndarray
    left: np.ndarray
    length: np.ndarray


def rasterise(
    points: np.ndarray,
    triangles: np.ndarray,
    size: tuple[int, int],
    cut: np.ndarray | None = None,
) -> Samples:
    """Find the nearest triangle at each pixel centre of an image of `size` (height, width).

    `points` (V, 3) float32 are x and y in pixels, from the upper left corner, and a positive depth;
    `triangles` (T, 3) are rows of them. Where the interpolation of `cut` (V,) is below 0 is a hole.
    Triangles are seen from both sides. Of equally near ones the later wins.
    """
    corners = points[triangles.ravel()].astype(np.float64).reshape(-1, 3, 3).transpose(2, 1, 0)
    planes, usable = _planes(corners, None if cut is None else cut[triangles].T)
    rows = _rows(corners, planes, usable, size)
    row, offset = _expand(rows.length)
    places = (rows.y * size[1] + rows.left)[row] + offset
    nearness = _along(planes.nearness, rows, row, offset)
    covered, winners = _nearest(places, nearness, size[0] * size[1])
    owner = rows.triangles[row[winners]]
    y, x = np.divmod(covered, size[1])
    weights = _corrected(planes, corners[2], owner, y, x)
    return Samples(covered, owner, weights, 1 / nearness[winners])


def _planes(corners: np.ndarray, cut: np.ndarray | None) -> tuple[_Planes, np.ndarray]:
    """The planes of triangles with `corners` (xyz, 3, T), and which triangles have an area."""
    x, y, depth = corners
    a = np.stack([y[1] - y[2], y[2] - y[0], y[0] - y[1]])
    b = np.stack([x[2] - x[1], x[0] - x[2], x[1] - x[0]])
    c = np.stack([x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]])
    area = c[0] + c[1] + c[2]
    usable = np.abs(area) > _MIN_AREA
    abc = np.stack([a, b, c]) / np.where(usable, area, 1)  # (abc, corner, T)
    nearness = _mix(abc, 1 / depth)
    holes = None if cut is None else _mix(abc, cut.astype(np.float64))
    return _Planes([abc[:, corner] for corner in range(3)], nearness, holes), usable


def _mix(abc: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Plane (3, T) of `values` (3, T) at the corners."""
    return abc[:, 0] * values[0] + abc[:, 1] * values[1] + abc[:, 2] * values[2]


def _rows(corners: np.ndarray, planes: _Planes, usable: np.ndarray, size: tuple[int, int]) -> _Rows:
    """The stretch of each row of the image that lies in each triangle and in no hole."""
    height, width = size
    (x_low, y_low), (x_high, y_high) = _low(corners), _high(corners)
    first = np.clip(np.ceil(y_low - 0.5), 0, height).astype(np.int64)
    last = np.clip(np.floor(y_high - 0.5), -1, height - 1).astype(np.int64)
    seen = usable & (x_high > 0) & (x_low < width)
    owner, row = _expand(np.where(seen, np.maximum(last - first + 1, 0), 0))
    row += first[owner]
    left, right = np.zeros(len(owner)), np.full(len(owner), float(width))
    bounds = planes.weights if planes.cut is None else [*planes.weights, planes.cut]
    for bound in bounds:
        a, b, c = np.take(bound, owner, 1)
        rest = b * (row + 0.5) + c
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = -rest / a
        left = np.where(a > 0, np.maximum(left, crossing - _EDGE), left)
        right = np.where(a < 0, np.minimum(right, crossing + _EDGE), right)
        right = np.where((a == 0) & (rest < 0), -1, right)
    start = np.minimum(np.ceil(left - 0.5), width).astype(np.int64)  # `left` may be infinite
    end = np.clip(np.floor(right - 0.5), -1, width - 1).astype(np.int64)
    kept = np.flatnonzero(end >= start)
    return _Rows(owner[kept], row[kept], start[kept], (end - start + 1)[kept])


def _low(corners: np.ndarray) -> np.ndarray:
    """(2, T) smallest x and y of each triangle."""
    return np.minimum(np.minimum(corners[:2, 0], corners[:2, 1]), corners[:2, 2])


def _high(corners: np.ndarray) -> np.ndarray:
    return np.maximum(np.maximum(corners[:2, 0], corners[:2, 1]), corners[:2, 2])


def _expand(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts [2, 0, 3] -> indices [0, 0, 2, 2, 2] and places in each [0, 1, 0, 1, 2]."""
    index = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum(counts) - counts
    return index, np.arange(len(index)) - np.repeat(starts, counts)


def _along(plane: np.ndarray, rows: _Rows, row: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """(N,) float32 values of a plane at all samples of the rows."""
    a, b, c = np.take(plane, rows.triangles, 1)
    start = a * (rows.left + 0.5) + b * (rows.y + 0.5) + c
    return (start[row] + a[row] * offset).astype(np.float32)


def _nearest(places: np.ndarray, nearness: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The places that are covered, and the index of the nearest sample of each."""
    keys = nearness.view(np.uint32).astype(np.uint64) << np.uint64(32)  # positive floats sort so
    keys |= np.arange(len(places), dtype=np.uint64)
    buffer = np.zeros(count, np.uint64)
    np.maximum.at(buffer, places, keys)
    covered = np.flatnonzero(buffer)
    return covered, (buffer[covered] & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _corrected(
    planes: _Planes, depth: np.ndarray, owner: np.ndarray, y: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """(P, 3) float32 weights on the triangles themselves: `depth` (3, T) undoes the projection."""
    weights = np.empty((len(owner), 3), np.float32)
    for corner, plane in enumerate(planes.weights):
        a, b, c = np.take(plane, owner, 1)
        weights[:, corner] = np.maximum(a * (x + 0.5) + b * (y + 0.5) + c, 0) / depth[corner][owner]
    weights /= (weights[:, 0] + weights[:, 1] + weights[:, 2])[:, None]
    return weights
