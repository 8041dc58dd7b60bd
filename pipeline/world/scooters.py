"""Parked motor scooters."""

from __future__ import annotations

import numpy as np

from pipeline.world.finishes import (
    BLACK_PLASTIC,
    CHROME,
    GLASS,
    PAINTS,
    SEATS,
    STEEL,
    Finish,
    finish,
    pick,
)
from pipeline.world.meshes import join, moved, rotation, transformed
from pipeline.world.solids import box, ellipse, ellipsoid, loft, tube
from pipeline.world.surfaces import Mesh
from pipeline.world.wheels import scooter_wheel


def scooter(rng: np.random.Generator) -> Mesh:
    """A parked motor scooter with a leg shield, 1.75 m long."""
    paint = pick(rng, (*PAINTS, "#9db6b3", "#c9c2ad", "#6b1f24"), 0.5)
    front = transformed(_scooter_front(paint), rotation(1, rng.uniform(-25, 25)))
    seat = ellipsoid((0.36, 0.06, 0.14), (-0.42, 0.79, 0), pick(rng, SEATS, 0.2), 6, 12, 0.35)
    parts = [
        moved(front, x=0.5),
        loft(_scooter_body(), paint, crease=70),
        box((0.5, 0.04, 0.3), (0.15, 0.26, 0), BLACK_PLASTIC, 0.01),
        _shield(paint),
        seat,
        moved(scooter_wheel(), -0.55, 0.21),
        ellipsoid((0.03, 0.04, 0.08), (-0.79, 0.64, 0), finish("#8e1414", 0.6), 5, 8),
        box((0.01, 0.12, 0.16), (-0.83, 0.5, 0), finish("#e8e6dd")),
        tube([(-0.2, 0.2, -0.16), (-0.72, 0.3, -0.18)], 0.035, STEEL, sides=7),
        tube([(0.0, 0.24, 0.1), (-0.08, 0.0, 0.2)], 0.012, STEEL, sides=5),
    ]
    if rng.random() < 0.3:
        parts.append(box((0.34, 0.3, 0.36), (-0.78, 0.98, 0), BLACK_PLASTIC, 0.04))
    return transformed(join(*parts), rotation(0, rng.uniform(2, 6)))


def _scooter_body() -> list[np.ndarray]:
    """Return cross-sections of the rear, from the tail lamp to the floor."""
    return [
        ellipse(x, y, high, wide, 12)
        for x, y, high, wide in (
            (-0.81, 0.62, 0.04, 0.05),
            (-0.74, 0.58, 0.14, 0.13),
            (-0.55, 0.55, 0.2, 0.19),
            (-0.3, 0.52, 0.23, 0.18),
            (-0.14, 0.46, 0.24, 0.14),
            (-0.06, 0.32, 0.1, 0.12),
        )
    ]


def _shield(paint: Finish) -> Mesh:
    """Make the leg shield, bent backwards at its sides."""
    rows = []
    for y, x, half in ((0.27, 0.36, 0.15), (0.4, 0.42, 0.2), (0.7, 0.45, 0.2), (0.88, 0.41, 0.14)):
        rows.append([(x - 0.3 * z * z / half, y, z) for z in np.linspace(-half, half, 7)])
    return loft(rows, paint, open_ring=True)


def _scooter_front(paint: Finish) -> Mesh:
    """Make wheel, mudguard, handlebar and mirrors about the steering axis."""
    head = ellipsoid((0.1, 0.09, 0.13), (-0.08, 0.97, 0), paint, 6, 10)
    bar = tube([(-0.14, 1.0, -0.32), (-0.1, 0.98, 0), (-0.14, 1.0, 0.32)], 0.016, CHROME, sides=6)
    guard = ellipsoid((0.26, 0.14, 0.09), (0.08, 0.32, 0), paint, 6, 12)
    parts = [
        moved(scooter_wheel(), 0.1, 0.21),
        guard,
        tube([(0.1, 0.21, 0.08), (-0.08, 0.9, 0)], 0.03, STEEL, sides=6),
        head,
        bar,
        ellipsoid((0.03, 0.07, 0.07), (0.01, 0.98, 0), finish("#d8dcdc", 0.9), 5, 10),
    ]
    for z in (-0.32, 0.32):
        parts.append(tube([(-0.13, 1.0, z), (-0.15, 1.02, 0.72 * z)], 0.02, BLACK_PLASTIC, sides=6))
        parts.append(tube([(-0.1, 1.0, 0.6 * z), (-0.1, 1.18, z)], 0.006, BLACK_PLASTIC, sides=3))
        parts.append(ellipsoid((0.015, 0.04, 0.06), (-0.1, 1.2, z), GLASS, 4, 8))
    return join(*parts)
