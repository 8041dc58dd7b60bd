"""Solid shapes as meshes: boxes, tubes, plates, surfaces through cross-sections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from pipeline.world.finishes import Finish
from pipeline.world.surfaces import PART, Mesh

_WELD = 1e6  # points are the same when they agree in the sixth decimal of a metre
_MIN_AREA = 1e-12  # square metres
CREASE = 55.0
"""Degrees between two faces up to which the edge between them is shaded as a round one."""


def build(
    points: ArrayLike,
    triangles: np.ndarray,
    finish: Finish | Sequence[Finish],
    which: np.ndarray | None = None,
    crease: float = CREASE,
    two_sided: bool = False,
) -> Mesh:
    """The mesh of `triangles` (T, 3), rows of `points` (P, 3); degenerate ones are dropped.

    `which` (T,) is the row of `finish` of each triangle. Edges up to `crease` degrees are smooth.
    """
    finishes = [finish] if isinstance(finish, Finish) else list(finish)
    which = np.zeros(len(triangles), np.int64) if which is None else which
    vertices, triangles = _welded(np.asarray(points, np.float64), triangles)
    faces = _face_normals(vertices, triangles)
    kept = np.flatnonzero(np.sqrt((faces**2).sum(1)) > 2 * _MIN_AREA)
    triangles, faces, which = triangles[kept], faces[kept], which[kept]
    groups, normals = _smooth_groups(triangles, faces, _corner_angles(vertices[triangles]), crease)
    keys = groups * len(finishes) + np.repeat(which, 3)
    _, first, corners = np.unique(keys, return_index=True, return_inverse=True)
    looks = which[first // 3]
    return Mesh(
        vertices=vertices[triangles.ravel()[first]].astype(np.float32),
        normals=normals[groups[first]].astype(np.float32),
        triangles=corners.reshape(-1, 3).astype(np.int32),
        colours=np.array([each.colour for each in finishes], np.float32)[looks],
        two_sided=np.full(len(triangles), two_sided),
        parts=np.full(len(triangles), PART["obstacle"], np.uint8),
        gloss=np.array([each.gloss for each in finishes], np.float32)[looks],
    )


def _welded(points: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct points, and the triangles as rows of them."""
    _, first, rows = np.unique(
        np.round(points * _WELD).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    return points[first], rows.ravel()[triangles]


def _face_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(T, 3) outward normals, twice the area long."""
    a, b, c = vertices[triangles[:, 0]], vertices[triangles[:, 1]], vertices[triangles[:, 2]]
    return np.cross(b - a, c - a)


def _corner_angles(corners: np.ndarray) -> np.ndarray:
    """(T, 3) angles of triangles, whose corners are (T, 3, 3)."""
    ahead = _unit(np.roll(corners, -1, 1) - corners)
    behind = _unit(np.roll(corners, 1, 1) - corners)
    angles: np.ndarray = np.arccos(np.clip((ahead * behind).sum(2), -1, 1))
    return angles


def _smooth_groups(
    triangles: np.ndarray, faces: np.ndarray, angles: np.ndarray, crease: float
) -> tuple[np.ndarray, np.ndarray]:
    """The group of each corner (3 T,), and the unit normal (G, 3) of each group.

    The corners at a vertex are of one group if a chain of faces joins them without a crease. Each
    counts by its angle and the area of its face, so that flat sides beside small ones stay flat.
    """
    unit = np.repeat(_unit(faces), 3, 0)
    order = np.argsort(triangles.ravel(), kind="stable")
    vertex = triangles.ravel()[order]
    pairs = []
    for step in range(1, int(np.bincount(vertex).max())):
        start = np.flatnonzero(vertex[step:] == vertex[:-step])
        one, other = order[start], order[start + step]
        near = (unit[one] * unit[other]).sum(1) > math.cos(math.radians(crease))
        pairs.append(np.stack([one[near], other[near]]))
    one, other = np.concatenate(pairs, 1) if pairs else np.zeros((2, 0), np.int64)
    links = coo_matrix((np.ones(len(one), bool), (one, other)), shape=(len(order), len(order)))
    count, groups = connected_components(links, directed=False)
    weighted = np.repeat(faces, 3, 0) * angles.reshape(-1, 1)
    sums = [np.bincount(groups, weighted[:, axis], count) for axis in range(3)]
    return groups.astype(np.int64), _unit(np.stack(sums, 1))


def _unit(vectors: np.ndarray) -> np.ndarray:
    length: np.ndarray = np.sqrt((vectors**2).sum(-1, keepdims=True))
    return vectors / np.maximum(length, 1e-30)


def join(*meshes: Mesh) -> Mesh:
    """All `meshes` as one, with the grain of the first."""
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    return Mesh(
        vertices=np.concatenate([mesh.vertices for mesh in meshes]),
        normals=np.concatenate([mesh.normals for mesh in meshes]),
        triangles=np.concatenate(
            [mesh.triangles + np.int32(start) for mesh, start in zip(meshes, starts, strict=False)]
        ),
        colours=np.concatenate([mesh.colours for mesh in meshes]),
        two_sided=np.concatenate([mesh.two_sided for mesh in meshes]),
        parts=np.concatenate([mesh.parts for mesh in meshes]),
        gloss=np.concatenate([mesh.gloss for mesh in meshes]),
        grain=meshes[0].grain,
    )


def transformed(mesh: Mesh, matrix: ArrayLike, offset: ArrayLike = (0, 0, 0)) -> Mesh:
    """The mesh with its columns times `matrix` (3, 3), moved by `offset` (3,)."""
    matrix = np.asarray(matrix, np.float64)
    flips = np.linalg.det(matrix) < 0
    normals = _unit(mesh.normals @ np.linalg.inv(matrix))
    vertices = mesh.vertices.astype(np.float64) @ matrix.T + np.asarray(offset, np.float64)
    return replace(
        mesh,
        vertices=vertices.astype(np.float32),
        normals=normals.astype(np.float32),
        triangles=np.ascontiguousarray(mesh.triangles[:, ::-1] if flips else mesh.triangles),
    )


def moved(mesh: Mesh, x: float = 0, y: float = 0, z: float = 0) -> Mesh:
    """The mesh moved by (x, y, z)."""
    offset = np.array([x, y, z], np.float64)
    return replace(mesh, vertices=(mesh.vertices + offset).astype(np.float32))


def mirrored(mesh: Mesh, axis: int = 2) -> Mesh:
    """The mesh seen in a mirror through the origin, across `axis`."""
    signs = np.ones(3)
    signs[axis] = -1
    return transformed(mesh, np.diag(signs))


def rotation(axis: int, degrees: float) -> np.ndarray:
    """(3, 3) matrix that turns columns about an axis (0 to 2) by the right-hand rule."""
    angle = math.radians(degrees)
    one, other = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[one, one] = matrix[other, other] = math.cos(angle)
    matrix[one, other], matrix[other, one] = -math.sin(angle), math.sin(angle)
    return matrix


def circle(sides: int, start: float = 0.0) -> np.ndarray:
    """(sides, 2) points of the unit circle, counter-clockwise, the first at `start` degrees."""
    angles = [math.radians(start + 360 * side / sides) for side in range(sides)]
    return np.array([(math.cos(angle), math.sin(angle)) for angle in angles])


def quads(rows: int, columns: int, closed: bool = False) -> np.ndarray:
    """(T, 3) triangles of a grid of points, row by row: two for each quad.

    Columns run counter-clockwise and rows towards the eye; `closed`: the last column is followed
    by the first.
    """
    row, column = np.meshgrid(
        np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij"
    )
    following = (column + 1) % columns
    a, b = row * columns + column, row * columns + following
    c, d = a + columns, b + columns
    return np.stack([a, b, d, a, d, c], -1).reshape(-1, 3)


def loft(
    sections: ArrayLike,
    finish: Finish | Sequence[Finish],
    which: ArrayLike | None = None,
    *,
    capped: bool = True,
    open_ring: bool = False,
    crease: float = CREASE,
) -> Mesh:
    """The surface through `sections` (M, N, 3): rings, counter-clockwise seen from the last one.

    `which`: the row of `finish` of each band between sections, (M - 1,), or of each quad,
    (M - 1, N); ends take that of their band. With `open_ring` the ring is a line and the
    surface is seen from both sides.
    """
    rings = np.asarray(sections, np.float64)
    rows, columns = rings.shape[:2]
    bands = np.zeros((rows - 1, columns - 1 if open_ring else columns), np.int64)
    if which is not None:
        looks = np.asarray(which, np.int64)
        bands += looks[:, None] if looks.ndim == 1 else looks
    points, labels = rings.reshape(-1, 3), np.repeat(bands.ravel(), 2)
    triangles = quads(rows, columns, closed=not open_ring)
    if capped and not open_ring:
        points = np.concatenate([points, rings[[0, -1]].mean(1)])
        triangles = np.concatenate([triangles, *_caps(rows, columns)])
        labels = np.concatenate([labels, bands[0], bands[-1]])
    return build(points, triangles, finish, labels, crease, two_sided=open_ring)


def _caps(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """(columns, 3) fans that close the first and the last ring, whose middles follow the grid."""
    ring = np.arange(columns)
    following, last = (ring + 1) % columns, (rows - 1) * columns
    middle = np.full(columns, rows * columns)
    first_cap = np.stack([middle, following, ring], 1)
    return first_cap, np.stack([middle + 1, ring + last, following + last], 1)


def box(size: ArrayLike, centre: ArrayLike, finish: Finish, bevel: float = 0.0) -> Mesh:
    """A box of `size` (x, y, z) about `centre`, its edges cut by `bevel` and shaded round."""
    half = np.asarray(size, np.float64) / 2
    bits = (np.arange(8)[:, None] >> np.arange(3)) & 1
    signs = 2 * bits - 1
    points = np.stack([signs * (half - bevel * (np.arange(3) != axis)) for axis in range(3)])
    points = points.reshape(-1, 3)  # row of axis and corner: 8 axis + corner
    triangles = _outwards(points, np.array(_BOX_TRIANGLES))
    return build(points + np.asarray(centre), triangles, finish)


def _box_triangles() -> list[tuple[int, int, int]]:
    """Faces, edges and corners of a box whose corners are three points each."""
    found = [(corner, 8 + corner, 16 + corner) for corner in range(8)]
    for axis in range(3):
        b, c = 1 << (axis + 1) % 3, 1 << (axis + 2) % 3
        other = 8 * ((axis + 1) % 3)
        for low in (0, 1 << axis):
            face = [8 * axis + low + bit for bit in (0, b, b + c, c)]
            found += [(face[0], face[1], face[2]), (face[0], face[2], face[3])]
            for side in (0, b):
                here, there = low + side, low + side + c
                strip = [8 * axis + here, 8 * axis + there, other + there, other + here]
                found += [(strip[0], strip[1], strip[2]), (strip[0], strip[2], strip[3])]
    return found


_BOX_TRIANGLES = _box_triangles()


def _outwards(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """The triangles of a convex shape about the origin, turned counter-clockwise."""
    inwards = (_face_normals(points, triangles) * points[triangles].mean(1)).sum(1) < 0
    return np.where(inwards[:, None], triangles[:, ::-1], triangles)


def tube(
    path: ArrayLike,
    radius: float | ArrayLike,
    finish: Finish,
    sides: int = 8,
    capped: bool = True,
) -> Mesh:
    """A round tube along the points of `path` (M, 3), with a radius for all or for each."""
    points = np.asarray(path, np.float64)
    radii = np.broadcast_to(np.asarray(radius, np.float64), len(points))
    along = _unit(np.diff(points, axis=0))
    tangents = _unit(np.concatenate([along[:1], along[:-1] + along[1:], along[-1:]]))
    sections = []
    side = _perpendicular(tangents[0])
    for point, tangent, size in zip(points, tangents, radii, strict=True):
        side = _unit(side - tangent * (side * tangent).sum())
        frame = np.stack([side, np.cross(tangent, side)])
        sections.append(point + size * (circle(sides) @ frame))
    return loft(sections, finish, capped=capped, crease=max(CREASE, 360 / sides + 5))


def rods(segments: ArrayLike, radius: ArrayLike, finish: Finish, sides: int = 3) -> Mesh:
    """Straight open tubes along `segments` (N, 2, 3), as many wires or twigs at once.

    `radius` is one number for all, or (N, 2): at the start and at the end of each.
    """
    ends = np.asarray(segments, np.float64)
    count = len(ends)
    radii = np.broadcast_to(np.asarray(radius, np.float64), (count, 2))
    along = _unit(ends[:, 1] - ends[:, 0])
    aside = np.where(np.abs(along[:, 1:2]) > 0.9, (1.0, 0, 0), (0, 1.0, 0))
    one = _unit(np.cross(aside, along))
    other = np.cross(along, one)
    ring = circle(sides)
    normals = ring[:, 0, None] * one[:, None] + ring[:, 1, None] * other[:, None]  # (N, sides, 3)
    points = ends[:, :, None] + radii[:, :, None, None] * normals[:, None]  # (N, 2, sides, 3)
    starts = 2 * sides * np.arange(count)
    triangles = (starts[:, None, None] + quads(2, sides, closed=True)).reshape(-1, 3)
    vertices = points.reshape(-1, 3)
    return Mesh(
        vertices=vertices.astype(np.float32),
        normals=np.repeat(normals[:, None], 2, 1).reshape(-1, 3).astype(np.float32),
        triangles=triangles.astype(np.int32),
        colours=np.tile(np.array(finish.colour, np.float32), (len(vertices), 1)),
        two_sided=np.zeros(len(triangles), bool),
        parts=np.full(len(triangles), PART["obstacle"], np.uint8),
        gloss=np.full(len(vertices), finish.gloss, np.float32),
    )


def _perpendicular(vector: np.ndarray) -> np.ndarray:
    """A unit vector at a right angle to `vector`, as level as can be."""
    aside = np.array([1.0, 0, 0]) if abs(vector[1]) > 0.9 else np.array([0, 1.0, 0])
    return _unit(np.cross(aside, vector))


def torus(
    radius: float,
    thickness: float,
    centre: ArrayLike,
    finish: Finish,
    sides: int = 24,
    around: int = 6,
) -> Mesh:
    """A ring in the plane of x and y: `radius` to the middle of a rim of radius `thickness`."""
    ring, rim = circle(sides), circle(around)
    distance = radius + thickness * rim[:, 0]
    points = np.empty((around, sides, 3))
    points[..., :2] = distance[:, None, None] * ring
    points[..., 2] = thickness * rim[:, 1, None]
    closed = np.concatenate([points, points[:1]]) + np.asarray(centre, np.float64)
    return loft(closed, finish, capped=False, crease=360 / around + 5)


def lathe(
    profile: ArrayLike,
    finish: Finish | Sequence[Finish],
    which: ArrayLike | None = None,
    sides: int = 16,
    crease: float = 40.0,
) -> Mesh:
    """A shape turned about y, closed at its ends: `profile` (M, 2) is radius and height, upwards.

    `which` (M - 1,): the row of `finish` of each band.
    """
    radius, height = np.asarray(profile, np.float64).T
    sections = np.empty((len(radius), sides, 3))
    ring = circle(sides)
    sections[..., 0] = radius[:, None] * ring[:, 0]
    sections[..., 1] = height[:, None]
    sections[..., 2] = -radius[:, None] * ring[:, 1]
    return loft(sections, finish, which, crease=crease)


def ellipsoid(
    radii: ArrayLike,
    centre: ArrayLike,
    finish: Finish,
    rings: int = 6,
    sides: int = 12,
    squareness: float = 0.0,
) -> Mesh:
    """An ellipsoid about `centre`; `squareness` up to 1 makes it a box with round edges."""
    turns = math.pi * np.arange(rings + 1) / rings
    exponent = 1 - 0.9 * squareness
    height, radius = -_powered(np.cos(turns), exponent), _powered(np.sin(turns), exponent)
    ring = _powered(circle(sides, start=180 / sides), exponent)
    points = np.empty((rings + 1, sides, 3))
    points[..., 0] = radius[:, None] * ring[:, 0]
    points[..., 1] = height[:, None]
    points[..., 2] = -radius[:, None] * ring[:, 1]
    points = points * np.asarray(radii, np.float64) + np.asarray(centre, np.float64)
    return loft(points, finish, capped=False, crease=80)


def _powered(values: np.ndarray, exponent: float) -> np.ndarray:
    clean = np.where(np.abs(values) < 1e-9, 0, values)
    return np.sign(clean) * np.abs(clean) ** exponent


def plate(outline: ArrayLike, thickness: float, finish: Finish, bevel: float = 0.0) -> Mesh:
    """A board between -thickness / 2 and thickness / 2 in z with an outline (N, 2) in x and y.

    The outline runs counter-clockwise and sees its mean from everywhere; `bevel` shrinks the faces.
    """
    points = np.asarray(outline, np.float64)
    middle = points.mean(0)
    inner = points + bevel * _unit(middle - points)
    half = thickness / 2
    layers = [(inner, -half), (points, bevel - half), (points, half - bevel), (inner, half)]
    layers = layers if bevel else [layers[0], layers[-1]]
    sections = [np.column_stack([ring, np.full(len(ring), z)]) for ring, z in layers]
    return loft(sections, finish)


def patch(corner: ArrayLike, across: ArrayLike, up: ArrayLike, finish: Finish) -> Mesh:
    """A flat parallelogram from `corner`; it faces where `across` x `up` points."""
    start, right, top = (np.asarray(each, np.float64) for each in (corner, across, up))
    points = np.stack([start, start + right, start + right + top, start + top])
    return build(points, np.array([(0, 1, 2), (0, 2, 3)]), finish)
