"""A z-buffer in numpy: all triangles are cut into rows and all rows into pixels, without a loop."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_EDGE = np.float32(1e-4)  # pixels by which a row is longer, so that neighbours leave no crack
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
    """(P,) float32, of the unit of `points`."""


class _Rows(NamedTuple):
    """Stretches of samples in one row of the image, each of one triangle."""

    triangles: np.ndarray
    y: np.ndarray
    left: np.ndarray
    count: np.ndarray


def rasterise(
    points: np.ndarray,
    triangles: np.ndarray,
    size: tuple[int, int],
    cut: np.ndarray | None = None,
) -> Samples:
    """Find the nearest triangle at each pixel centre of an image of `size` (height, width).

    `points` (V, 3) float32 are x and y in pixels, from the upper left corner, and a positive depth;
    `triangles` (T, 3) rows of them. Where the interpolation of `cut` (V,) is below 0 is a hole.
    Triangles are seen from both sides. Of equally near ones the later wins.
    """
    corners = points[triangles]  # (T, 3, 3)
    edges, usable = _edges(corners)
    rows = _rows(corners, edges, usable, size)
    owner, y, x = _spread(rows)
    weights = _weights(edges, owner, y, x)
    if cut is not None:
        kept = np.flatnonzero((cut[triangles][owner] * weights).sum(1) >= 0)
        owner, y, x, weights = owner[kept], y[kept], x[kept], weights[kept]
    nearness = weights / corners[:, :, 2][owner]  # (P, 3): 1 / depth is linear in the image
    inverse = nearness.sum(1)
    places, winners = _nearest(y * size[1] + x, inverse, size[0] * size[1])
    corrected = nearness[winners] / inverse[winners, None]
    return Samples(places, owner[winners], corrected, 1 / inverse[winners])


def _edges(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, 3, 3) float32 a, b, c of the weights a x + b y + c, and which triangles have an area."""
    x, y = corners[:, :, 0].astype(np.float64), corners[:, :, 1].astype(np.float64)
    x1, x2, y1, y2 = x[:, [1, 2, 0]], x[:, [2, 0, 1]], y[:, [1, 2, 0]], y[:, [2, 0, 1]]
    a, b, c = y1 - y2, x2 - x1, x1 * y2 - x2 * y1
    area = c[:, 0] + c[:, 1] + c[:, 2]
    usable = np.abs(area) > _MIN_AREA
    scale = 1 / np.where(usable, area, 1)
    return np.stack([a, b, c], 2) * scale[:, None, None], usable


def _rows(
    corners: np.ndarray, edges: np.ndarray, usable: np.ndarray, size: tuple[int, int]
) -> _Rows:
    """The stretch of each row of the image that lies in each triangle."""
    height, width = size
    x, y = corners[:, :, 0], corners[:, :, 1]
    seen = usable & (x.max(1) > 0) & (x.min(1) < width)
    first = np.clip(np.ceil(y.min(1) - 0.5), 0, height).astype(np.int64)
    last = np.clip(np.floor(y.max(1) - 0.5), -1, height - 1).astype(np.int64)
    heights = np.where(seen, np.maximum(last - first + 1, 0), 0)
    owner, row = _expand(heights)
    row += first[owner]
    left, right = np.zeros(len(owner)), np.full(len(owner), float(width))
    for corner in range(3):
        a, b, c = edges[owner, corner].T
        rest = b * (row + 0.5) + c
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = -rest / a
        left = np.where(a > 0, np.maximum(left, crossing - _EDGE), left)
        right = np.where(a < 0, np.minimum(right, crossing + _EDGE), right)
        right = np.where((a == 0) & (rest < 0), -1, right)
    start = np.maximum(np.ceil(left - 0.5), 0).astype(np.int64)
    end = np.minimum(np.floor(right - 0.5), width - 1).astype(np.int64)
    kept = np.flatnonzero(end >= start)
    return _Rows(owner[kept], row[kept], start[kept], (end - start + 1)[kept])


def _spread(rows: _Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangle, y and x of each sample of the rows."""
    row, offset = _expand(rows.count)
    return rows.triangles[row], rows.y[row], rows.left[row] + offset


def _expand(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts [2, 0, 3] -> indices [0, 0, 2, 2, 2] and places in each [0, 1, 0, 1, 2]."""
    index = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum(counts) - counts
    return index, np.arange(len(index)) - starts[index]


def _weights(edges: np.ndarray, owner: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(P, 3) float32 barycentric weights in the image of samples at pixel centres."""
    a, b, c = np.moveaxis(edges[owner], 2, 0)
    weights = a * (x + 0.5)[:, None] + b * (y + 0.5)[:, None] + c
    return np.maximum(weights, 0).astype(np.float32)


def _nearest(places: np.ndarray, inverse: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The places that are covered, and the row of the nearest sample of each."""
    rank = inverse.astype(np.float32).view(np.uint32).astype(np.uint64) << np.uint64(32)
    keys = rank | np.arange(len(places), dtype=np.uint64)
    buffer = np.zeros(count, np.uint64)
    np.maximum.at(buffer, places, keys)
    covered = np.flatnonzero(buffer)
    return covered, (buffer[covered] & np.uint64(0xFFFFFFFF)).astype(np.int64)
