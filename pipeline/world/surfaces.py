"""Surfaces: triangles in the world, and the look of their points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from pipeline.world.noise import volume_noise

PARTS = (
    "background",
    "skin",
    "hair",
    "headwear",
    "top",
    "outer",
    "bottom",
    "shoes",
    "bag",
    "carried",
    "vehicle",
    "obstacle",
)
"""Labels of triangles and pixels. People have 1 to 8, what they carry or ride 9 and 10."""

PART = {name: number for number, name in enumerate(PARTS)}


class Paint(NamedTuple):
    """How P points of a surface look."""

    albedo: np.ndarray
    """(P, 3) float32, linear."""
    normals: np.ndarray
    """(P, 3) float32, of any length."""
    gloss: np.ndarray | float
    """(P,) float32 or one number: strength of reflections, 0 to 1."""


class Surface(Protocol):
    """Triangles in world coordinates, counter-clockwise seen from outside."""

    @property
    def vertices(self) -> np.ndarray:
        """(V, 3) float32 metres."""

    @property
    def triangles(self) -> np.ndarray:
        """(T, 3) int32 rows of the vertices."""

    @property
    def two_sided(self) -> np.ndarray:
        """(T,) bool: seen from behind too."""

    @property
    def parts(self) -> np.ndarray:
        """(T,) uint8 indices in `PARTS`."""

    @property
    def cut(self) -> np.ndarray | None:
        """(V,) float32: where its interpolation is below 0 is a hole; None: no holes."""

    @property
    def box(self) -> np.ndarray:
        """(2, 3) float32 metres: lowest and highest x, y and z."""

    @property
    def mean_z(self) -> np.floating:
        """Mean z of the vertices."""

    def paint(self, triangles: np.ndarray, weights: np.ndarray) -> Paint:
        """Return the look of P points: rows of `triangles` (P,), barycentric `weights` (P, 3)."""


class Extent:
    """Extent of a surface, computed once: most surfaces of a camera are in all its crops."""

    vertices: np.ndarray

    @cached_property
    def box(self) -> np.ndarray:
        return np.stack([self.vertices.min(0), self.vertices.max(0)])

    @cached_property
    def mean_z(self) -> np.floating:
        return self.vertices[:, 2].mean()


@dataclass(frozen=True)
class Mesh(Extent):
    """A solid object; its fields are those of `Surface` and the colours of its vertices."""

    vertices: np.ndarray
    normals: np.ndarray
    """(V, 3) float32 of length 1."""
    triangles: np.ndarray
    colours: np.ndarray
    """(V, 3) float32 albedo."""
    two_sided: np.ndarray
    parts: np.ndarray
    gloss: np.ndarray
    """(V,) float32."""
    grain: float = 0.06
    """Strength of the fine noise on the colours."""
    cut: np.ndarray | None = None

    def placed(self, yaw: float, x: float, z: float) -> Mesh:
        """Turn the mesh by `yaw` radians about the vertical and move it to (x, z)."""
        moved = turned(self.vertices, yaw) + np.array([x, 0, z], np.float32)
        return replace(self, vertices=moved, normals=turned(self.normals, yaw))

    def paint(self, triangles: np.ndarray, weights: np.ndarray) -> Paint:
        rows = self.triangles[triangles]
        albedo = interpolate(self.colours, rows, weights)
        if self.grain:
            noise = volume_noise(interpolate(self.vertices, rows, weights) * np.float32(30))
            albedo = albedo * (1 + np.float32(self.grain) * noise)[:, None]
        gloss = interpolate(self.gloss[:, None], rows, weights)[:, 0]
        return Paint(albedo, interpolate(self.normals, rows, weights), gloss)


def boxes(surfaces: Sequence[Surface]) -> np.ndarray:
    """Return the boxes (N, 2, 3) of N surfaces."""
    return np.array([surface.box for surface in surfaces], np.float32).reshape(-1, 2, 3)


def interpolate(values: np.ndarray, triangles: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Interpolate `values` (V, K) at P points of `triangles` (P, 3) by `weights` (P, 3): (P, K)."""
    columns = np.ascontiguousarray(values.T)
    total = columns.take(triangles[:, 0], 1) * weights[:, 0]
    total += columns.take(triangles[:, 1], 1) * weights[:, 1]
    total += columns.take(triangles[:, 2], 1) * weights[:, 2]
    return total.T


def dot(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Multiply the rows of (P, 3) arrays; the second may be one row (3,). Return (P,).

    Written out: numpy's sum over so short an axis is slow.
    """
    return (
        first[:, 0] * second[..., 0] + first[:, 1] * second[..., 1] + first[:, 2] * second[..., 2]
    )


def rotated(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Multiply `matrix` (3, 3) with each point (P, 3).

    Written out: a BLAS gives other last bits on other processors.
    """
    x, y, z = points.T
    out = np.empty((3, len(points)), np.result_type(points, matrix))
    for row, (a, b, c) in zip(out, matrix, strict=True):
        np.multiply(x, a, out=row)
        row += y * b
        row += z * c
    return out.T


def yaw_matrix(yaw: float) -> np.ndarray:
    """Return the rotation (3, 3) float32 of columns about the vertical: +z goes towards +x."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)


def turned(vectors: np.ndarray, yaw: float) -> np.ndarray:
    """Turn `vectors` (V, 3) about the vertical; without BLAS, the same on every processor."""
    (cos, _, sin), _, _ = yaw_matrix(yaw)
    x, y, z = vectors.T
    return np.stack([cos * x + sin * z, y, cos * z - sin * x]).T
