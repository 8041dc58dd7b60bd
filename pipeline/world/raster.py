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
    boxes = _boxes(points, triangles, size)
    touched = triangles[boxes.triangles]
    planes = _planes(points[touched.T].astype(np.float64), None if cut is None else cut[touched.T])
    rows = _rows(boxes, planes, size)
    row, offset = _expand(rows.length)
    places = (rows.y * size[1] + rows.left)[row] + offset
    nearness = _along(planes[_NEARNESS], rows, row, offset)
    covered, winners = _nearest(places, nearness, size[0] * size[1])
    owner = rows.triangles[row[winners]]
    y, x = np.divmod(covered, size[1])
    weights = _corrected(planes, points[:, 2], touched, owner, y, x)
    return Samples(covered, boxes.triangles[owner], weights, 1 / nearness[winners])


class _Boxes(NamedTuple):
    """Triangles whose bounding box holds a pixel centre of the image, and its rows there."""

    triangles: np.ndarray
    first: np.ndarray
    last: np.ndarray


def _boxes(points: np.ndarray, triangles: np.ndarray, size: tuple[int, int]) -> _Boxes:
    first, last = [], []
    for axis, length in ((1, size[0]), (0, size[1])):
        one, two, three = (points[corner, axis] for corner in triangles.T)
        low = np.minimum(np.minimum(one, two), three) - np.float32(0.5 + _EDGE)
        high = np.maximum(np.maximum(one, two), three) - np.float32(0.5 - _EDGE)
        first.append(np.clip(np.ceil(low), 0, length).astype(np.int64))
        last.append(np.clip(np.floor(high), -1, length - 1).astype(np.int64))
    touched = np.flatnonzero((last[0] >= first[0]) & (last[1] >= first[1]))
    return _Boxes(touched, first[0][touched], last[0][touched])


_NEARNESS, _CUT = 3, 4  # planes after the three barycentric weights


def _planes(corners: np.ndarray, cut: np.ndarray | None) -> np.ndarray:
    """(4 or 5, 3, T) a, b, c of values a x + b y + c over the image, for each triangle.

    The values are the barycentric weights in the image, 1 / depth and `cut` (3, T); `corners`
    (3, T, xyz) float64. A triangle without an area has weights below 0 everywhere.
    """
    x, y, depth = np.moveaxis(corners, 2, 0)
    planes = np.empty((4 if cut is None else 5, 3, x.shape[1]))
    for corner in range(3):
        one, two = (corner + 1) % 3, (corner + 2) % 3
        planes[corner, 0] = y[one] - y[two]
        planes[corner, 1] = x[two] - x[one]
        planes[corner, 2] = x[one] * y[two] - x[two] * y[one]
    area = planes[0, 2] + planes[1, 2] + planes[2, 2]
    flat = np.abs(area) <= _MIN_AREA
    planes[:3] /= np.where(flat, 1, area)
    planes[:3, :, flat] = np.array([0, 0, -1])[:, None]
    planes[_NEARNESS] = _mix(planes, 1 / depth)
    if cut is not None:
        planes[_CUT] = _mix(planes, cut)
    return planes


def _mix(planes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Plane (3, T) of `values` (3, T) at the corners."""
    return planes[0] * values[0] + planes[1] * values[1] + planes[2] * values[2]


def _rows(boxes: _Boxes, planes: np.ndarray, size: tuple[int, int]) -> _Rows:
    """The stretch of each row of the image that lies in each triangle and in no hole."""
    owner, row = _expand(boxes.last - boxes.first + 1)
    row += boxes.first[owner]
    left, right = np.zeros(len(owner)), np.full(len(owner), float(size[1]))
    for number in (0, 1, 2, *range(_CUT, len(planes))):
        a, b, c = np.take(planes[number], owner, 1)
        rest = b * (row + 0.5) + c
        crossing = np.divide(-rest, a, out=np.zeros_like(rest), where=a != 0)
        np.maximum(left, crossing - _EDGE, out=left, where=a > 0)
        np.minimum(right, crossing + _EDGE, out=right, where=a < 0)
        np.copyto(right, -1, where=(a == 0) & (rest < 0))
    start = np.minimum(np.ceil(left - 0.5), size[1]).astype(np.int64)  # `left` may be infinite
    end = np.clip(np.floor(right - 0.5), -1, size[1] - 1).astype(np.int64)
    kept = np.flatnonzero(end >= start)
    return _Rows(owner[kept], row[kept], start[kept], (end - start + 1)[kept])


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
    planes: np.ndarray,
    depth: np.ndarray,
    triangles: np.ndarray,
    owner: np.ndarray,
    y: np.ndarray,
    x: np.ndarray,
) -> np.ndarray:
    """(P, 3) float32 weights on the triangles themselves: `depth` (V,) undoes the projection."""
    weights = np.empty((len(owner), 3), np.float32)
    for corner in range(3):
        a, b, c = np.take(planes[corner], owner, 1)
        weight = np.maximum(a * (x + 0.5) + b * (y + 0.5) + c, 0)
        weights[:, corner] = weight / depth[triangles[owner, corner]]
    weights /= (weights[:, 0] + weights[:, 1] + weights[:, 2])[:, None]
    return weights
