"""Mesh decimation by edge collapse with the quadric error metric.

Garland and Heckbert, "Surface simplification using quadric error metrics", SIGGRAPH 1997.
"""

from __future__ import annotations

import heapq

import numpy as np

_LENGTH_WEIGHT = 2e-3  # cost of long edges: orders the collapses on flat ground
_MIN_ALIGNMENT = 0.2  # cosine between a triangle's normals before and after a collapse
_BORDER_WEIGHT = 10.0

Vector = tuple[float, float, float]


def decimate(
    vertices: np.ndarray, triangles: np.ndarray, detail: np.ndarray, count: int
) -> np.ndarray:
    """Collapse edges until at most `count` triangles remain; return them (T, 3) as vertex indices.

    `vertices` (V, 3), `triangles` (T, 3); `detail` (V,) scales the error of each vertex.
    Vertices never move: an edge collapses onto one of its ends.
    """
    return _EdgeCollapse(vertices, triangles, detail).run(count)


class _EdgeCollapse:
    """Collapses the edges of a mesh in order of cost."""

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray, detail: np.ndarray) -> None:
        self.points: list[Vector] = [(x, y, z) for x, y, z in vertices.tolist()]
        self.detail: list[float] = detail.tolist()
        self.faces: dict[int, tuple[int, int, int]] = {
            row: (a, b, c) for row, (a, b, c) in enumerate(triangles.tolist())
        }
        self.around: list[set[int]] = [set() for _ in self.points]
        for row, face in self.faces.items():
            for corner in face:
                self.around[corner].add(row)
        self.quadrics = self._quadrics()
        self.version = [0] * len(self.points)
        self.queue: list[tuple[float, int, int, int, int]] = []

    def run(self, count: int) -> np.ndarray:
        for vertex in range(len(self.points)):
            self._push(vertex)
        while len(self.faces) > count and self.queue:
            _, removed, target, *versions = heapq.heappop(self.queue)
            fresh = versions == [self.version[removed], self.version[target]]
            if fresh and self._allowed(removed, target):
                self._collapse(removed, target)
        return np.array(sorted(self.faces.values()), np.int64)

    def _quadrics(self) -> list[np.ndarray]:
        """Return each vertex's quadric (4, 4): squared distance to the planes of its triangles."""
        quadrics = [np.zeros((4, 4)) for _ in self.points]
        for face in self.faces.values():
            normal = _normal(*(self.points[corner] for corner in face))
            area = _length(normal)
            if area == 0:
                continue
            unit = _divided(normal, area)
            self._add_plane(quadrics, face, unit, area)
            for start, end in zip(face, (*face[1:], face[0]), strict=True):
                if len(self.around[start] & self.around[end]) == 1:
                    self._add_border(quadrics, start, end, unit)
        return quadrics

    def _add_plane(
        self, quadrics: list[np.ndarray], corners: tuple[int, ...], unit: Vector, weight: float
    ) -> None:
        plane = np.array([*unit, -_dot(unit, self.points[corners[0]])])
        for corner in corners:
            quadrics[corner] += weight * np.outer(plane, plane)

    def _add_border(self, quadrics: list[np.ndarray], start: int, end: int, unit: Vector) -> None:
        edge = _difference(self.points[end], self.points[start])
        length = _length(edge)
        across = _divided(_cross(edge, unit), length)
        self._add_plane(quadrics, (start, end), across, _BORDER_WEIGHT * length**2)

    def _neighbours(self, vertex: int) -> set[int]:
        return {corner for row in self.around[vertex] for corner in self.faces[row]} - {vertex}

    def _push(self, vertex: int) -> None:
        """Queue the collapses of the edges at `vertex`, in the cheaper direction."""
        for other in sorted(self._neighbours(vertex)):
            quadric = self.quadrics[vertex] + self.quadrics[other]
            cost, removed, target = min(
                (self._cost(quadric, target=other, removed=vertex), vertex, other),
                (self._cost(quadric, target=vertex, removed=other), other, vertex),
            )
            key = (self.version[removed], self.version[target])
            heapq.heappush(self.queue, (cost, removed, target, *key))

    def _cost(self, quadric: np.ndarray, target: int, removed: int) -> float:
        x, y, z = self.points[target]
        q = quadric.ravel().tolist()
        error = (
            q[0] * x * x + q[5] * y * y + q[10] * z * z + q[15]
            + 2 * (q[1] * x * y + q[2] * x * z + q[6] * y * z + q[3] * x + q[7] * y + q[11] * z)
        )  # fmt: skip
        edge = _difference(self.points[target], self.points[removed])
        scale = max(self.detail[removed], self.detail[target]) ** 2
        return scale * (max(error, 0) + _LENGTH_WEIGHT * _dot(edge, edge) ** 2)

    def _allowed(self, removed: int, target: int) -> bool:
        """Return whether the surface remains manifold and no triangle flips."""
        shared = self.around[removed] & self.around[target]
        common = self._neighbours(removed) & self._neighbours(target)
        if not shared or len(common) != len(shared):
            return False
        return not any(self._flips(row, removed, target) for row in self.around[removed] - shared)

    def _flips(self, row: int, removed: int, target: int) -> bool:
        """Return whether the collapse turns a triangle too far."""
        face = self.faces[row]
        before = _normal(*(self.points[corner] for corner in face))
        moved = (target if corner == removed else corner for corner in face)
        after = _normal(*(self.points[corner] for corner in moved))
        return _dot(before, after) <= _MIN_ALIGNMENT * _length(before) * _length(after)

    def _collapse(self, removed: int, target: int) -> None:
        for row in sorted(self.around[removed]):
            face = self.faces.pop(row)
            for corner in face:
                self.around[corner].discard(row)
            if target not in face:
                a, b, c = (target if corner == removed else corner for corner in face)
                self.faces[row] = (a, b, c)
                for corner in (a, b, c):
                    self.around[corner].add(row)
        self.quadrics[target] = self.quadrics[target] + self.quadrics[removed]
        self.version[removed] += 1
        self.version[target] += 1
        self._push(target)


def _difference(a: Vector, b: Vector) -> Vector:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def _divided(a: Vector, by: float) -> Vector:
    return a[0] / by, a[1] / by, a[2] / by


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _length(a: Vector) -> float:
    return _dot(a, a) ** 0.5


def _normal(a: Vector, b: Vector, c: Vector) -> Vector:
    """Return the triangle's normal; its length is twice the area."""
    return _cross(_difference(b, a), _difference(c, a))
