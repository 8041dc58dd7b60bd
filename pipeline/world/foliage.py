"""Leaves and blades of grass, placed at random on surfaces."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pipeline.world import Rng
from pipeline.world.finishes import Finish
from pipeline.world.meshes import face_normals, join, obstacle, unit
from pipeline.world.solids import ellipsoid
from pipeline.world.surfaces import Mesh

DENSE = 0.3
"""Grain of dense foliage: strength of the noise on its colours."""
_COVER = 3.2  # sum of the squared leaf lengths over the area that the leaves cover


class Blob(NamedTuple):
    """An ellipsoid of leaves."""

    centre: np.ndarray
    radii: np.ndarray


def cover_blobs(rng: Rng, blobs: list[Blob], count: int, green: Finish) -> Mesh:
    """Make dark cores covered by `count` leaves."""
    core = join(*(ellipsoid(0.84 * b.radii, b.centre, green.shaded(0.3), 7, 10) for b in blobs))
    areas = np.array([float(np.prod(b.radii) ** (2 / 3)) for b in blobs])
    counts = (1.9 * count * areas / areas.sum()).astype(int)
    sampled = [_outer_points(rng, blobs, *pair) for pair in enumerate(counts)]
    points, normals = (np.concatenate(each) for each in zip(*sampled, strict=True))
    chosen = rng.permutation(len(points))[:count]
    outside = 4 * math.pi * float(areas.sum()) * len(points) / int(counts.sum())
    length = math.sqrt(_COVER * outside / count) * rng.uniform(0.9, 1.2)
    cover = leaves(rng, points[chosen], normals[chosen], length, green, points[:, 1].max())
    both = join(core, cover)
    above = np.maximum(both.vertices, np.array([-np.inf, 0, -np.inf], np.float32))
    return replace(both, vertices=above, grain=DENSE)


def _outer_points(
    rng: Rng, blobs: list[Blob], number: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sample points (N, 3) and normals near the surface of a blob; N <= `count`.

    Points below the ground or inside another blob are dropped.
    """
    blob = blobs[number]
    directions = random_directions(rng, count)
    points = blob.centre + directions * blob.radii * rng.uniform(0.82, 1.06, (count, 1))
    kept = points[:, 1] > 0.02
    for other in blobs[:number] + blobs[number + 1 :]:
        kept &= (((points - other.centre) / other.radii) ** 2).sum(1) > 0.75
    return points[kept], unit(directions / blob.radii)[kept]


def sample_block(rng: Rng, size: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Sample (count, 3) points near the sides and the top of a block, and its normals there."""
    x, y, z = size
    areas = np.array([x * y, x * y, z * y, z * y, x * z])
    normals = np.array([(0, 0, 1), (0, 0, -1), (1, 0, 0), (-1, 0, 0), (0, 1, 0)])
    outwards = normals[rng.choice(5, count, p=areas / areas.sum())].astype(np.float64)
    points = np.where(outwards == 0, rng.uniform(-0.5, 0.5, (count, 3)), outwards / 2)
    points = points * (size - rng.uniform(0.0, 0.07, (count, 1)))
    return points + np.array([0, y / 2, 0]), outwards


def random_directions(rng: Rng, count: int) -> np.ndarray:
    """Sample (count, 3) unit vectors uniformly."""
    return unit(rng.normal(size=(count, 3)))


def leaves(
    rng: Rng, points: np.ndarray, outwards: np.ndarray, length: float, green: Finish, height: float
) -> Mesh:
    """Place a folded leaf at each of `points` (N, 3) on a surface with normals `outwards` (N, 3).

    Leaves are darker the further they are below `height`, and vary at random.
    """
    count = len(points)
    axis = unit(0.35 * outwards + 0.7 * random_directions(rng, count) + (0, 0.15, 0))
    side = unit(np.cross(axis, outwards + 0.5 * random_directions(rng, count)))
    normal = np.cross(side, axis)
    turn = np.sign((normal * outwards).sum(1, keepdims=True)) + 0.0
    side, normal = side * turn, normal * turn
    long = length * rng.uniform(0.6, 1.3, (count, 1))
    wide = long * rng.uniform(0.5, 0.75, (count, 1))
    fold = 0.2 * wide * normal
    ahead, aside = axis * long / 2, side * wide / 2
    corners = [points - ahead, points + aside + fold, points + ahead, points - aside + fold]
    shade = rng.uniform(0.5, 1.3, (count, 1)) * (0.65 + 0.35 * points[:, 1:2] / height)
    yellow = 1 + rng.uniform(0, 0.35, (count, 1)) * (1, 0.6, 0)
    colours = np.array(green.colour) * shade * yellow
    folded = [(0, 1, 2), (0, 2, 3)]
    return _sheets(corners, folded, unit(0.75 * outwards + 0.45 * normal), colours, green.gloss)


def blades(
    rng: Rng, count: int, length: float, width: float, half: np.ndarray, green: Finish
) -> Mesh:
    """Place `count` blades of grass on a rectangle with half sides `half` (x, z)."""
    turns = rng.uniform(0, 2 * math.pi, (count, 1))
    long = rng.uniform(0.6, 1.1, (count, 1)) * length
    away = np.concatenate([np.cos(turns), 0 * turns, np.sin(turns)], 1)
    lean = rng.uniform(0.1, 0.75, (count, 1))
    foot = rng.uniform(-1, 1, (count, 2)) * half
    start = np.stack([foot[:, 0], np.zeros(count), foot[:, 1]], 1) - (0, 0.03, 0)
    bend = start + long * (0.35 * lean * away + (0, 0.6, 0))
    tip = start + long * (1.0 * lean * away + (0, 1, 0) - (0, 0.45, 0) * lean)
    side = np.cross(away, (0, 1, 0)) * width / 2
    corners = [start - 0.4 * side, start + 0.4 * side, bend + side, tip, bend - side]
    colours = np.array(green.colour) * rng.uniform(0.55, 1.4, (count, 1))
    bent = [(0, 1, 2), (0, 2, 4), (4, 2, 3)]
    return _sheets(corners, bent, unit(0.7 * away + (0, 0.6, 0)), colours, green.gloss)


def _sheets(
    corners: list[np.ndarray],
    pattern: list[tuple[int, int, int]],
    normals: np.ndarray,
    colours: np.ndarray,
    gloss: float,
) -> Mesh:
    """Build N two-sided sheets with `corners`, each (N, 3), and the triangles of `pattern`.

    `normals` and `colours` (N, 3) are per sheet.
    """
    count, each = len(normals), len(corners)
    vertices = np.stack(corners, 1).reshape(-1, 3).astype(np.float32)
    starts = each * np.arange(count)[:, None, None]
    triangles = (starts + np.array(pattern)).reshape(-1, 3)
    away = (face_normals(vertices, triangles) * np.repeat(normals, len(pattern), 0)).sum(1) < 0
    triangles[away] = triangles[away][:, ::-1]
    tones = np.repeat(np.clip(colours, 0.004, 0.9), each, 0)
    return obstacle(vertices, np.repeat(normals, each, 0), triangles, tones, gloss, two_sided=True)
