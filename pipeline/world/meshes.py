"""Build meshes from triangles; join, move, turn and mirror them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.world.body import cross, unit
from pipeline.world.finishes import Finish
from pipeline.world.surfaces import PART, Mesh

_WELD = 1e6  # points that agree in the sixth decimal of a metre are equal
_MIN_AREA = 1e-12  # square metres
CREASE = 55.0
"""Default crease angle in degrees: sharper edges are shaded flat."""


def build(
    points: ArrayLike,
    triangles: np.ndarray,
    finish: Finish | Sequence[Finish],
    finish_ids: np.ndarray | None = None,
    crease: float = CREASE,
    two_sided: bool = False,
) -> Mesh:
    """Build a mesh of `triangles` (T, 3), rows of `points` (P, 3), without degenerate ones.

    `finish_ids` (T,) index `finish`. Edges up to `crease` degrees are shaded smooth.
    """
    finishes = [finish] if isinstance(finish, Finish) else list(finish)
    ids = np.zeros(len(triangles), np.int64) if finish_ids is None else finish_ids
    vertices, triangles = _welded(np.asarray(points, np.float64), triangles)
    faces = face_normals(vertices, triangles)
    kept = np.flatnonzero(np.sqrt((faces**2).sum(1)) > 2 * _MIN_AREA)
    triangles, faces, ids = triangles[kept], faces[kept], ids[kept]
    groups, normals = _smooth_groups(triangles, faces, _corner_angles(vertices[triangles]), crease)
    keys = groups * len(finishes) + np.repeat(ids, 3)
    _, first, corners = np.unique(keys, return_index=True, return_inverse=True)
    vertex_ids = ids[first // 3]
    return obstacle(
        vertices[triangles.ravel()[first]],
        normals[groups[first]],
        corners.reshape(-1, 3),
        np.array([each.colour for each in finishes])[vertex_ids],
        np.array([each.gloss for each in finishes])[vertex_ids],
        two_sided,
    )


def obstacle(
    vertices: np.ndarray,
    normals: np.ndarray,
    triangles: np.ndarray,
    colours: ArrayLike,
    gloss: ArrayLike,
    two_sided: bool = False,
) -> Mesh:
    """Make a mesh labelled "obstacle"; `colours` and `gloss` are per vertex or one for all."""
    return Mesh(
        vertices=vertices.astype(np.float32),
        normals=normals.astype(np.float32),
        triangles=triangles.astype(np.int32),
        colours=np.array(np.broadcast_to(colours, vertices.shape), np.float32),
        two_sided=np.full(len(triangles), two_sided),
        parts=np.full(len(triangles), PART["obstacle"], np.uint8),
        gloss=np.array(np.broadcast_to(gloss, len(vertices)), np.float32),
    )


def _welded(points: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Merge equal points; return the distinct points and the triangles that index them."""
    cells = np.round(points * _WELD).astype(np.int64)
    order = np.lexsort(cells.T[::-1])
    first = np.append(True, (np.diff(cells[order], axis=0) != 0).any(1))
    rows = np.empty(len(points), np.int64)
    rows[order] = np.cumsum(first) - 1
    return points[order[first]], rows[triangles]


def face_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return (T, 3) outward normals; their length is twice the area."""
    a, b, c = vertices[triangles[:, 0]], vertices[triangles[:, 1]], vertices[triangles[:, 2]]
    return cross(b - a, c - a)


def _corner_angles(corners: np.ndarray) -> np.ndarray:
    """Return the (T, 3) angles of triangles with corners (T, 3, 3)."""
    ahead = unit(np.roll(corners, -1, 1) - corners)
    behind = unit(np.roll(corners, 1, 1) - corners)
    angles: np.ndarray = np.arccos(np.clip((ahead * behind).sum(2), -1, 1))
    return angles


def _smooth_groups(
    triangles: np.ndarray, faces: np.ndarray, angles: np.ndarray, crease: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the smoothing group of each corner (3 T,) and the unit normal (G, 3) of each group.

    Corners at a vertex share a group if a chain of faces joins them without a crease. The normal
    weighs each face by its angle and area, so that large flat faces stay flat beside small ones.
    """
    directions = np.repeat(unit(faces), 3, 0)
    order = np.argsort(triangles.ravel(), kind="stable")
    vertex = triangles.ravel()[order]
    pairs = []
    for step in range(1, int(np.bincount(vertex).max())):
        start = np.flatnonzero(vertex[step:] == vertex[:-step])
        one, other = order[start], order[start + step]
        near = (directions[one] * directions[other]).sum(1) > math.cos(math.radians(crease))
        pairs.append(np.stack([one[near], other[near]]))
    one, other = np.concatenate(pairs, 1) if pairs else np.zeros((2, 0), np.int64)
    links = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(order),) * 2)
    groups = connected_components(links, directed=False)[1]
    weighted = np.repeat(faces, 3, 0) * angles.reshape(-1, 1)
    sums = [np.bincount(groups, weighted[:, axis]) for axis in range(3)]
    return groups, unit(np.stack(sums, 1))


def join(*meshes: Mesh) -> Mesh:
    """Join `meshes` into one; it takes the grain of the first."""
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    triangles = [m.triangles + np.int32(start) for m, start in zip(meshes, starts, strict=False)]
    joined: dict[str, Any] = {
        field: np.concatenate([getattr(mesh, field) for mesh in meshes])
        for field in ("vertices", "normals", "colours", "two_sided", "parts", "gloss")
    }
    return replace(meshes[0], triangles=np.concatenate(triangles), **joined)


def transformed(mesh: Mesh, matrix: ArrayLike, offset: ArrayLike = (0, 0, 0)) -> Mesh:
    """Multiply the vertices by `matrix` (3, 3), then add `offset` (3,)."""
    matrix = np.asarray(matrix, np.float64)
    flips = np.linalg.det(matrix) < 0
    normals = unit(mesh.normals @ np.linalg.inv(matrix))
    vertices = mesh.vertices.astype(np.float64) @ matrix.T + np.asarray(offset, np.float64)
    return replace(
        mesh,
        vertices=vertices.astype(np.float32),
        normals=normals.astype(np.float32),
        triangles=np.ascontiguousarray(mesh.triangles[:, ::-1] if flips else mesh.triangles),
    )


def moved(mesh: Mesh, x: float = 0, y: float = 0, z: float = 0) -> Mesh:
    """Move the mesh by (x, y, z) metres."""
    offset = np.array([x, y, z], np.float64)
    return replace(mesh, vertices=(mesh.vertices + offset).astype(np.float32))


def mirrored(mesh: Mesh, axis: int = 2) -> Mesh:
    """Negate one coordinate; the triangles still face outwards."""
    signs = np.ones(3)
    signs[axis] = -1
    return transformed(mesh, np.diag(signs))


def rotation(axis: int, degrees: float) -> np.ndarray:
    """Return the (3, 3) rotation of columns about an axis (0 to 2), by the right-hand rule."""
    angle = math.radians(degrees)
    one, other = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[one, one] = matrix[other, other] = math.cos(angle)
    matrix[one, other], matrix[other, one] = -math.sin(angle), math.sin(angle)
    return matrix


def quads(rows: int, columns: int, closed: bool = False) -> np.ndarray:
    """Return (T, 3) triangles of a grid of points, row by row: two for each quad.

    Columns run counter-clockwise, rows towards the eye. `closed` joins the last column to the
    first.
    """
    row, column = np.meshgrid(
        np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij"
    )
    following = (column + 1) % columns
    a, b = row * columns + column, row * columns + following
    c, d = a + columns, b + columns
    return np.stack([a, b, d, a, d, c], -1).reshape(-1, 3)
