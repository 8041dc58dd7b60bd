"""Wheels of bicycles, scooters, strollers, cars and litter bins."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pipeline.world.finishes import CHROME, RUBBER, STEEL, Finish
from pipeline.world.meshes import join
from pipeline.world.solids import circle, loft, rods, torus, tube
from pipeline.world.surfaces import Mesh


def bicycle_wheel(radius: float) -> Mesh:
    """Make a spoked wheel about z."""
    rim = radius - 0.035
    spokes = []
    for step in range(14):
        turn = 2 * math.pi * step / 14
        hub = (0.02 * math.cos(turn + 1), 0.02 * math.sin(turn + 1), 0.025 * (-1) ** step)
        spokes.append((hub, (rim * math.cos(turn), rim * math.sin(turn), 0.0)))
    return join(
        torus(radius - 0.018, 0.018, (0, 0, 0), RUBBER, sides=26, around=5),
        torus(rim, 0.009, (0, 0, 0), CHROME, sides=26, around=4),
        tube([(0, 0, -0.05), (0, 0, 0.05)], 0.022, STEEL, sides=6),
        rods(spokes, 0.002, STEEL),
    )


def scooter_wheel() -> Mesh:
    """Make the wheel of a motor scooter about z, 0.42 m in diameter."""
    profile = [(-0.05, 0.5), (-0.05, 0.62), (-0.045, 0.92), (0, 1.0), (0.045, 0.92), (0.05, 0.62),
               (0.05, 0.5)]  # fmt: skip
    sections = _sections(profile, 0.21, 18)
    return loft(sections, [STEEL, RUBBER], [0, 1, 1, 1, 1, 0], crease=60)


def pram_wheel() -> Mesh:
    """Make the wheel of a stroller about z, 0.22 m in diameter."""
    profile = [(-0.02, 0.6), (-0.02, 0.9), (0, 1.0), (0.02, 0.9), (0.02, 0.6)]
    return loft(_sections(profile, 0.11, 12), RUBBER)


def car_wheel(radius: float, rim: Finish, spokes: bool) -> Mesh:
    """Make the wheel of a car about z; its outer side faces +z."""
    profile = [(-0.1, 0.95), (0.07, 1.0), (0.1, 0.93), (0.1, 0.7), (0.075, 0.64), (0.07, 0.25),
               (0.09, 0.2), (0.095, 0.0)]  # fmt: skip
    finish_ids = np.zeros((len(profile) - 1, 15), np.int64)
    finish_ids[3:] = 1
    if spokes:
        finish_ids[4, 2::3] = 2
    finishes = [RUBBER, rim, RUBBER.shaded(0.7)]
    return loft(_sections(profile, radius, 15), finishes, finish_ids, crease=40)


def bin_wheel(radius: float, width: float) -> Mesh:
    """Make a small wheel about x."""
    profile = [(-width / 2, 0.9), (-width / 4, 1.0), (width / 4, 1.0), (width / 2, 0.9)]
    about_z = _sections(profile, radius, 12)
    return loft(np.roll(about_z, 1, axis=2), RUBBER)


def _sections(profile: Sequence[tuple[float, float]], radius: float, sides: int) -> np.ndarray:
    """Return (M, sides, 3) rings about z; `profile` holds M pairs of z and fraction of `radius`."""
    ring = circle(sides)
    return np.array(
        [np.column_stack([radius * part * ring, np.full(sides, z)]) for z, part in profile]
    )
