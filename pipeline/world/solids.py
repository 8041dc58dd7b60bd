"""Shapes as meshes: surfaces through cross-sections, boxes, tubes, plates, ellipsoids."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pipeline.world.body import unit
from pipeline.world.finishes import Finish
from pipeline.world.meshes import CREASE, build, face_normals, obstacle, quads
from pipeline.world.surfaces import Mesh

Point = tuple[float, float, float]


def circle(sides: int, start: float = 0.0) -> np.ndarray:
    """Return (sides, 2) points of the unit circle, counter-clockwise from `start` degrees."""
    angles = [math.radians(start + 360 * side / sides) for side in range(sides)]
    return np.array([(math.cos(angle), math.sin(angle)) for angle in angles])


def ellipse(x: float, y: float, high: float, wide: float, sides: int = 8) -> np.ndarray:
    """Return (sides, 3) points of an ellipse about (x, y, 0), counter-clockwise seen from +x.

    `high` and `wide` are its half axes along y and z.
    """
    ring = circle(sides, 180 / sides)
    return np.column_stack([np.full(sides, x), y + high * ring[:, 1], -wide * ring[:, 0]])


def loft(
    sections: ArrayLike,
    finish: Finish | Sequence[Finish],
    finish_ids: ArrayLike | None = None,
    *,
    capped: bool = True,
    open_ring: bool = False,
    crease: float = CREASE,
) -> Mesh:
    """Build the surface through `sections` (M, N, 3): rings, counter-clockwise seen from the last.

    `finish_ids` index `finish`, by band between sections (M - 1,) or by quad (M - 1, N); caps
    take the finish of their band. `open_ring` makes a two-sided sheet of lines instead of rings.
    """
    rings = np.asarray(sections, np.float64)
    rows, columns = rings.shape[:2]
    bands = np.zeros((rows - 1, columns - 1 if open_ring else columns), np.int64)
    if finish_ids is not None:
        ids = np.asarray(finish_ids, np.int64)
        bands += ids[:, None] if ids.ndim == 1 else ids
    points, labels = rings.reshape(-1, 3), np.repeat(bands.ravel(), 2)
    triangles = quads(rows, columns, closed=not open_ring)
    if capped and not open_ring:
        points = np.concatenate([points, rings[[0, -1]].mean(1)])
        triangles = np.concatenate([triangles, *_caps(rows, columns)])
        labels = np.concatenate([labels, bands[0], bands[-1]])
    return build(points, triangles, finish, labels, crease, two_sided=open_ring)


def _caps(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two (columns, 3) fans that close the first and the last ring.

    Their centres are the two points after the grid.
    """
    ring = np.arange(columns)
    following, last = (ring + 1) % columns, (rows - 1) * columns
    middle = np.full(columns, rows * columns)
    first_cap = np.stack([middle, following, ring], 1)
    return first_cap, np.stack([middle + 1, ring + last, following + last], 1)


def box(size: ArrayLike, centre: ArrayLike, finish: Finish, bevel: float = 0.0) -> Mesh:
    """Build a box of `size` (x, y, z) about `centre`; `bevel` rounds its edges (metres)."""
    half = np.asarray(size, np.float64) / 2
    bits = (np.arange(8)[:, None] >> np.arange(3)) & 1
    signs = 2 * bits - 1
    points = np.stack([signs * (half - bevel * (np.arange(3) != axis)) for axis in range(3)])
    points = points.reshape(-1, 3)  # row of axis and corner: 8 axis + corner
    triangles = _outwards(points, _BOX_TRIANGLES)
    return build(points + np.asarray(centre), triangles, finish)


def _box_triangles() -> list[tuple[int, int, int]]:
    """Return the triangles of faces, edges and corners of a box with three points per corner."""
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


_BOX_TRIANGLES = np.array(_box_triangles())


def _outwards(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Orient the triangles of a convex shape about the origin counter-clockwise."""
    inwards = (face_normals(points, triangles) * points[triangles].mean(1)).sum(1) < 0
    return np.where(inwards[:, None], triangles[:, ::-1], triangles)


def tube(
    path: ArrayLike, radius: ArrayLike, finish: Finish, sides: int = 8, capped: bool = True
) -> Mesh:
    """Build a round tube along `path` (M, 3); `radius` is one number or (M,)."""
    points = np.asarray(path, np.float64)
    radii = np.broadcast_to(np.asarray(radius, np.float64), len(points))
    along = unit(np.diff(points, axis=0))
    tangents = unit(np.concatenate([along[:1], along[:-1] + along[1:], along[-1:]]))
    ring, sections = circle(sides), []
    side = _perpendicular(tangents[0])
    for point, tangent, size in zip(points, tangents, radii, strict=True):
        side = unit(side - tangent * (side * tangent).sum())
        frame = np.stack([side, np.cross(tangent, side)])
        sections.append(point + size * (ring @ frame))
    return loft(sections, finish, capped=capped, crease=max(CREASE, 360 / sides + 5))


def rods(segments: ArrayLike, radius: ArrayLike, finish: Finish, sides: int = 3) -> Mesh:
    """Build straight open tubes along `segments` (N, 2, 3), such as wires or twigs.

    `radius` is one number, or (N, 2) for the start and the end of each.
    """
    ends = np.asarray(segments, np.float64)
    count = len(ends)
    radii = np.broadcast_to(np.asarray(radius, np.float64), (count, 2))
    along = unit(ends[:, 1] - ends[:, 0])
    one = _perpendicular(along)
    other = np.cross(along, one)
    ring = circle(sides)
    normals = ring[:, 0, None] * one[:, None] + ring[:, 1, None] * other[:, None]  # (N, sides, 3)
    points = ends[:, :, None] + radii[:, :, None, None] * normals[:, None]  # (N, 2, sides, 3)
    starts = 2 * sides * np.arange(count)
    triangles = (starts[:, None, None] + quads(2, sides, closed=True)).reshape(-1, 3)
    repeated = np.repeat(normals[:, None], 2, 1).reshape(-1, 3)
    return obstacle(points.reshape(-1, 3), repeated, triangles, finish.colour, finish.gloss)


def _perpendicular(vectors: np.ndarray) -> np.ndarray:
    """Return unit vectors (..., 3) orthogonal to `vectors`; level unless those are steep."""
    aside = np.where(np.abs(vectors[..., 1:2]) > 0.9, (1.0, 0, 0), (0, 1.0, 0))
    return unit(np.cross(aside, vectors))


def torus(
    radius: float,
    thickness: float,
    centre: ArrayLike,
    finish: Finish,
    sides: int = 24,
    around: int = 6,
) -> Mesh:
    """Build a ring about z: `radius` to the middle of a rim of radius `thickness`."""
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
    finish_ids: ArrayLike | None = None,
    sides: int = 16,
) -> Mesh:
    """Revolve `profile` (M, 2), radius and rising height, about y; the ends are closed.

    `finish_ids` (M - 1,) index `finish` by band.
    """
    radius, height = np.asarray(profile, np.float64).T
    return loft(_revolved(radius, height, circle(sides)), finish, finish_ids, crease=40)


def ellipsoid(
    radii: ArrayLike,
    centre: ArrayLike,
    finish: Finish,
    rings: int = 6,
    sides: int = 12,
    squareness: float = 0.0,
) -> Mesh:
    """Build an ellipsoid about `centre`; `squareness` up to 1 makes it a box with round edges."""
    turns = math.pi * np.arange(rings + 1) / rings
    exponent = 1 - 0.9 * squareness
    height, radius = -_powered(np.cos(turns), exponent), _powered(np.sin(turns), exponent)
    ring = _powered(circle(sides, start=180 / sides), exponent)
    points = _revolved(radius, height, ring) * np.asarray(radii, np.float64) + np.asarray(centre)
    return loft(points, finish, capped=False, crease=80)


def _revolved(radius: np.ndarray, height: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Return M copies (M, N, 3) of `ring` (N, 2) about y, scaled by `radius` (M,)."""
    across, ahead = ring.T
    x, y, z = np.broadcast_arrays(
        radius[:, None] * across, height[:, None], -radius[:, None] * ahead
    )
    return np.stack([x, y, z], 2)


def _powered(values: np.ndarray, exponent: float) -> np.ndarray:
    """Raise magnitudes to `exponent` and keep the signs."""
    clean = np.where(np.abs(values) < 1e-9, 0, values)
    return np.sign(clean) * np.abs(clean) ** exponent


def plate(outline: ArrayLike, thickness: float, finish: Finish, bevel: float = 0.0) -> Mesh:
    """Build a board in the plane of x and y, centred in z, with `outline` (N, 2).

    The outline runs counter-clockwise and is star-shaped about its mean. `bevel` rounds its edges.
    """
    points = np.asarray(outline, np.float64)
    middle = points.mean(0)
    inner = points + bevel * unit(middle - points)
    half = thickness / 2
    layers = [(inner, -half), (points, bevel - half), (points, half - bevel), (inner, half)]
    layers = layers if bevel else [layers[0], layers[-1]]
    sections = [np.column_stack([ring, np.full(len(ring), z)]) for ring, z in layers]
    return loft(sections, finish)


def patch(corner: ArrayLike, across: ArrayLike, up: ArrayLike, finish: Finish) -> Mesh:
    """Build a flat parallelogram from `corner` that faces along `across` x `up`."""
    start, right, top = (np.asarray(each, np.float64) for each in (corner, across, up))
    points = np.stack([start, start + right, start + right + top, start + top])
    return build(points, np.array([(0, 1, 2), (0, 2, 3)]), finish)
