"""Strollers and shopping trolleys."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from pipeline.world import Rng
from pipeline.world.finishes import BLACK_PLASTIC, PAINTS, Finish, pick
from pipeline.world.meshes import join, mirrored, moved, transformed
from pipeline.world.solids import Point, box, loft, rods, tube
from pipeline.world.surfaces import Mesh
from pipeline.world.wheels import pram_wheel


def stroller(rng: Rng) -> Mesh:
    """Make a push-chair with a hood, its handle towards -x."""
    cloth = pick(rng, ("#23272b", "#2b3d5c", "#6b2430", "#4a4f4a", "#7a7d80", "#8a2d52"))
    frame = pick(rng, ("#24262a", "#9a9d9e"), 0.3)
    side = [
        tube([(-0.45, 1.02, 0.24), (-0.2, 0.62, 0.24), (0.34, 0.1, 0.24)], 0.013, frame, sides=5),
        tube([(-0.36, 0.1, 0.25), (0.1, 0.62, 0.24)], 0.013, frame, sides=5),
        moved(pram_wheel(), -0.36, 0.11, 0.26),
        moved(pram_wheel(), 0.36, 0.11, 0.26),
    ]
    both = [*side, *(mirrored(part) for part in side)]
    handle = tube([(-0.45, 1.02, -0.24), (-0.45, 1.02, 0.24)], 0.018, BLACK_PLASTIC, sides=6)
    tray = box((0.5, 0.14, 0.36), (-0.05, 0.25, 0), cloth.shaded(0.6), 0.03)
    return join(*both, handle, tray, _seat(cloth), _hood(cloth))


def _seat(cloth: Finish) -> Mesh:
    """Make back, seat and foot rest as one bent cushion."""
    path = ((-0.27, 0.9), (-0.13, 0.5), (0.16, 0.47), (0.3, 0.28))
    corners = ((-0.02, -0.2), (0.03, -0.2), (0.03, 0.2), (-0.02, 0.2))
    sections = [[(x + across, y + across, z) for across, z in corners] for x, y in path]
    return loft(sections, cloth, crease=50)


def _hood(cloth: Finish) -> Mesh:
    rows = []
    for turn in np.radians(np.linspace(15, 125, 6)):
        x, y = -0.2 + 0.33 * math.cos(turn), 0.75 + 0.33 * math.sin(turn)
        arch = [(x, y, z) for z in (-0.21, -0.12, 0.12, 0.21)]
        rows.append([(-0.2, 0.75, -0.2), *arch, (-0.2, 0.75, 0.2)])
    return loft(rows, cloth, open_ring=True, crease=60)


def trolley(rng: Rng) -> Mesh:
    """Make a shopping trolley of wire, its handle towards -x."""
    wire = pick(rng, ("#9a9d9e", "#85888a"), 0.4)
    handle = pick(rng, PAINTS, 0.2)
    rear, front = (-0.38, 0.52, 0.98), (0.42, 0.66, 0.9)  # x, lower and upper edge
    low, high = (_trolley_ring(rear, front, level) for level in (0.0, 1.0))
    rims = [*_edges(low), *_edges(high)]
    wires: list[tuple[Point, Point]] = []
    for level in np.linspace(0, 1, 7)[1:-1]:
        wires += _edges(_trolley_ring(rear, front, level))
    for (foot, next_foot), (top, next_top) in zip(rims[:4], rims[4:], strict=True):
        for fraction in np.linspace(0, 1, 7)[:-1]:
            wires.append((_between(foot, next_foot, fraction), _between(top, next_top, fraction)))
    for fraction in np.linspace(0, 1, 8):
        wires.append((_between(low[0], low[1], fraction), _between(low[3], low[2], fraction)))
    parts = [rods(rims, 0.009, wire, sides=5), rods(wires, 0.0045, wire)]
    for z in (-0.24, 0.24):
        path = [(-0.52, 1.02, z), (-0.38, 0.9, z), (-0.3, 0.2, z), (0.4, 0.14, 0.8 * z)]
        parts.append(tube(path, 0.012, wire, sides=5))
        parts.append(tube([(-0.3, 0.2, z), (0.15, 0.58, 0.9 * z)], 0.01, wire, sides=4))
        for x in (-0.3, 0.38):
            parts.append(moved(transformed(pram_wheel(), 0.55 * np.eye(3)), x, 0.06, 0.9 * z))
            parts.append(box((0.03, 0.1, 0.04), (x, 0.12, 0.9 * z), BLACK_PLASTIC))
    parts.append(tube([(-0.52, 1.02, -0.26), (-0.52, 1.02, 0.26)], 0.018, handle, sides=7))
    return join(*parts)


def _trolley_ring(rear: Point, front: Point, level: float) -> list[Point]:
    """Return the corners of the basket at `level`: 0 is its lower edge, 1 its upper one."""
    narrow, wide = 0.15 + 0.06 * level, 0.21 + 0.06 * level
    back = (rear[0] + 0.06 * (1 - level), rear[1] + level * (rear[2] - rear[1]))
    tip = (front[0] + 0.06 * level, front[1] + level * (front[2] - front[1]))
    return [(*back, -wide), (*tip, -narrow), (*tip, narrow), (*back, wide)]


def _edges(ring: list[Point]) -> list[tuple[Point, Point]]:
    return list(pairwise([*ring, ring[0]]))


def _between(start: Point, end: Point, fraction: float) -> Point:
    """Interpolate linearly between two points."""
    x, y, z = (a + fraction * (b - a) for a, b in zip(start, end, strict=True))
    return x, y, z
