"""A z-buffer in numpy: splits triangles into rows and rows into samples, without a loop."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_EDGE = 1e-4  # pixels by which a row is longer, so that neighbours leave no crack
_MIN_AREA = 1e-6  # square pixels


class Fragments(NamedTuple):
    """All samples of an image that triangles cover, whether or not another one is nearer."""

    places: np.ndarray
    """(N,) int64 flat indices of the image."""
    triangles: np.ndarray
    """(N,) int64 rows of the triangles, rising."""
    nearness: np.ndarray
    """(N,) float32 1 / depth."""


class Samples(NamedTuple):
    """The nearest surface at each of the P samples of an image that show one."""

    places: np.ndarray
    """(P,) int64 flat indices of the image, rising."""
    triangles: np.ndarray
    """(P,) int64 rows of the triangles."""
    depth: np.ndarray
    """(P,) float32, in the unit of the points."""


class _Rows(NamedTuple):
    """Stretches of samples in one row of the image, each of one triangle."""

    triangles: np.ndarray
    y: np.ndarray
    left: np.ndarray
    length: np.ndarray


def rasterise(
    points: np.ndarray, triangles: np.ndarray, size: tuple[int, int], cut: np.ndarray | None = None
) -> Samples:
    """Find the nearest triangle at each sample; arguments as in `fragments`."""
    return nearest(fragments(points, triangles, size, cut), size)


def fragments(
    points: np.ndarray, triangles: np.ndarray, size: tuple[int, int], cut: np.ndarray | None = None
) -> Fragments:
    """Find all triangles at each pixel centre of an image of `size` (height, width).

    `points` (V, 3) float32 are x and y in pixels, from the upper left corner, and a positive depth;
    `triangles` (T, 3) are rows of them. Where the interpolation of `cut` (V,) is below 0 is a hole.
    Triangles are seen from both sides.
    """
    corners = _corners(points, triangles)
    boxes = _boxes(corners, size)
    planes = _planes(corners.take(boxes.triangles, 2).astype(np.float64))
    at_corners = None if cut is None else cut.take(triangles.take(boxes.triangles, 0)).T
    rows = _rows(boxes, planes, at_corners, size)
    row, offset = _expand(rows.length)
    places = (rows.y * size[1] + rows.left)[row] + offset
    nearness = _along(planes[_NEARNESS], rows, row, offset)
    return Fragments(places, boxes.triangles[rows.triangles][row], nearness)


def nearest(found: Fragments, size: tuple[int, int]) -> Samples:
    """Find the nearest fragment at each place; of equally near ones the last."""
    keys = found.nearness.view(np.uint32).astype(np.uint64)  # positive floats sort so
    keys <<= np.uint64(32)
    keys |= np.arange(len(keys), dtype=np.uint64)
    buffer = np.zeros(size[0] * size[1], np.uint64)
    np.maximum.at(buffer, found.places, keys)
    covered = np.flatnonzero(buffer)
    winners = (buffer[covered] & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return Samples(covered, found.triangles[winners], 1 / found.nearness[winners])


def barycentric(
    points: np.ndarray, triangles: np.ndarray, places: np.ndarray, width: int
) -> np.ndarray:
    """Return perspective-correct barycentric weights (P, 3) float32 in `triangles` (P, 3).

    `places` (P,) are flat indices of an image of `width`; `points` as in `fragments`.
    """
    corners = _corners(points, triangles)
    planes = _planes(corners.astype(np.float64))
    y, x = np.divmod(places, width)
    mixed = np.empty((3, len(places)), np.float32)
    for corner in range(3):
        a, b, c = planes[corner]
        mixed[corner] = np.maximum(a * (x + 0.5) + b * (y + 0.5) + c, 0) / corners[2, corner]
    mixed /= mixed[0] + mixed[1] + mixed[2]
    return mixed.T


def _corners(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return the corners (xyz, 3, T) of the triangles."""
    return np.ascontiguousarray(points.T).take(triangles.T, 1)


class _Boxes(NamedTuple):
    """Triangles whose bounding box holds a pixel centre of the image, and its rows there."""

    triangles: np.ndarray
    first: np.ndarray
    last: np.ndarray


def _boxes(corners: np.ndarray, size: tuple[int, int]) -> _Boxes:
    limits = np.array([size[1], size[0]], np.float32)[:, None]
    low = corners[:2].min(1) - np.float32(0.5 + _EDGE)
    high = corners[:2].max(1) - np.float32(0.5 - _EDGE)
    first = np.clip(np.ceil(low), 0, limits).astype(np.int64)
    last = np.clip(np.floor(high), -1, limits - 1).astype(np.int64)
    touched = np.flatnonzero((last >= first).all(0))
    return _Boxes(touched, first[1, touched], last[1, touched])


_NEARNESS = 3  # plane after the three barycentric weights


def _planes(corners: np.ndarray) -> np.ndarray:
    """Return planes (4, 3, T): a, b, c of values a x + b y + c over the image.

    The values are the barycentric weights in the image and 1 / depth; `corners` (xyz, 3, T)
    float64. A triangle without an area has weights below 0 everywhere.
    """
    x, y, depth = corners
    planes = np.empty((4, 3, x.shape[1]))
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
    return planes


def _mix(planes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the planes (3, T) of `values` (3, T) at the corners."""
    return planes[0] * values[0] + planes[1] * values[1] + planes[2] * values[2]


def _rows(
    boxes: _Boxes, planes: np.ndarray, cut: np.ndarray | None, size: tuple[int, int]
) -> _Rows:
    """Find the stretch of each row of the image that lies in each triangle and in no hole.

    `cut` (3, T) is at the corners of the triangles.
    """
    owner, y = _expand(boxes.last - boxes.first + 1)
    y += boxes.first[owner]
    left, right = np.zeros(len(owner)), np.full(len(owner), float(size[1]))
    middle = y + 0.5
    for plane in planes[:3]:
        _narrow(left, right, plane.take(owner, 1), middle)
    if cut is not None:
        holed = np.flatnonzero((cut.min(0) < 0).take(owner))
        ends = left[holed], right[holed]
        _narrow(*ends, _mix(planes, cut).take(owner[holed], 1), middle[holed])
        left[holed], right[holed] = ends
    start = np.minimum(np.ceil(left - 0.5), size[1]).astype(np.int64)  # `left` may be infinite
    end = np.clip(np.floor(right - 0.5), -1, size[1] - 1).astype(np.int64)
    kept = np.flatnonzero(end >= start)
    return _Rows(owner[kept], y[kept], start[kept], (end - start + 1)[kept])


def _narrow(left: np.ndarray, right: np.ndarray, plane: np.ndarray, y: np.ndarray) -> None:
    """Shorten stretches at `y` (R,) in place to where a `plane` (3, R) is not below 0."""
    a, b, c = plane
    rest = b * y + c
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = -rest / a
    np.maximum(left, np.where(a > 0, crossing - _EDGE, -np.inf), out=left)
    np.minimum(right, np.where(a < 0, crossing + _EDGE, np.inf), out=right)
    level = np.flatnonzero(a == 0)
    right[level[rest[level] < 0]] = -1


def _expand(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn counts [2, 0, 3] into indices [0, 0, 2, 2, 2] and offsets [0, 1, 0, 1, 2]."""
    index = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum(counts) - counts
    return index, np.arange(len(index)) - np.repeat(starts, counts)


def _along(plane: np.ndarray, rows: _Rows, row: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return the values (N,) float32 of a plane at all samples of the rows."""
    a, b, c = plane.take(rows.triangles, 1)
    start = a * (rows.left + 0.5) + b * (rows.y + 0.5) + c
    return (start[row] + a[row] * offset).astype(np.float32)
