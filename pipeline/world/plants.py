"""Bushes, hedges, potted plants and trees in winter: mostly evergreens, or without leaves."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from pipeline.world import Rng
from pipeline.world.finishes import finish, pick
from pipeline.world.foliage import (
    DENSE,
    Blob,
    blades,
    cover_blobs,
    leaves,
    random_directions,
    sample_block,
)
from pipeline.world.meshes import join, moved, unit
from pipeline.world.solids import box, circle, lathe, loft, rods, tube
from pipeline.world.surfaces import Mesh

_GREENS = ("#3c4f30", "#475a35", "#33452e", "#566339", "#66703f", "#40513f", "#5d5a3a")
_DRY = ("#8a7a4e", "#9a8a5c", "#7a6a44", "#a08f5e")
_BARK = ("#5b4c3e", "#6b5d4f", "#4a4038", "#7a7064", "#53483f")
_POTS = ("#9c5a3c", "#8d8a84", "#3a3b3d", "#b7ab97", "#5b5650", "#d6d2c8")


def bush(rng: Rng) -> Mesh:
    """Make an evergreen shrub of several round masses, 0.7 to 1.4 m high."""
    height, width = rng.uniform(0.7, 1.4), rng.uniform(0.8, 1.5)
    blobs = []
    count = int(rng.integers(4, 7))
    for number in range(count):
        rise = number / (count - 1)
        radii = rng.uniform(0.26, 0.36, 3) * (width, height * 1.1, width * 0.85)
        x, z = rng.uniform(-0.34, 0.34, 2) * (width, width * 0.7) * (1 - 0.8 * rise)
        y = 0.6 * radii[1] + rise * max(height - 1.6 * radii[1], 0)
        blobs.append(Blob(np.array([x, y, z]), radii))
    return cover_blobs(rng, blobs, 1050, pick(rng, _GREENS, 0.12))


def hedge(rng: Rng) -> Mesh:
    """Make a clipped piece of a hedge, 1.4 to 2.4 m long."""
    size = rng.uniform((1.4, 0.7, 0.45), (2.4, 1.3, 0.7))
    green = pick(rng, _GREENS, 0.08)
    core = box(size - 0.07, (0, size[1] / 2, 0), green.shaded(0.5), 0.05)
    points, outwards = sample_block(rng, size, 1400)
    cover = leaves(rng, points, outwards, rng.uniform(0.08, 0.105), green, size[1])
    return replace(join(core, cover), grain=DENSE)


def plant(rng: Rng) -> Mesh:
    """Make a plant in a pot: a clipped ball, a cone, long blades, or large leaves on stems."""
    pot, top, radius = _pot(rng)
    grow = (_ball, _conifer, _blades, _laurel)[int(rng.integers(4))]
    return replace(join(pot, moved(grow(rng, radius), y=top)), grain=0.15)


def _pot(rng: Rng) -> tuple[Mesh, float, float]:
    """Make a pot with soil; return it, its height and the radius of its mouth."""
    clay = pick(rng, _POTS, 0.05)
    height, radius = rng.uniform(0.32, 0.55), rng.uniform(0.2, 0.32)
    soil = finish("#2a211a")
    if rng.random() < 0.35:
        side = 1.8 * radius
        walls = box((side, height, side), (0, height / 2, 0), clay, 0.012)
        fill = box((0.85 * side, 0.01, 0.85 * side), (0, height, 0), soil)
        return join(walls, fill), height, radius
    profile = [(0.72, 0.0), (0.78, 0.04), (0.95, 0.84), (1.06, 0.86), (1.06, 1.0), (0.94, 1.0),
               (0.9, 0.93), (0, 0.93)]  # fmt: skip
    points, bands = np.multiply(profile, (radius, height)), [0, 0, 0, 0, 0, 0, 1]
    return lathe(points, [clay, soil], bands, sides=18), height, radius


def _ball(rng: Rng, radius: float) -> Mesh:
    size = radius * rng.uniform(1.1, 1.6)
    stem = rng.uniform(0.0, 0.5) if rng.random() < 0.5 else 0.0
    blob = Blob(np.array([0, stem + 0.85 * size, 0]), np.full(3, size))
    green = pick(rng, _GREENS, 0.12)
    wood = tube([(0, -0.05, 0), (0, stem + 0.3 * size, 0)], 0.02, finish(_BARK[0]))
    return join(cover_blobs(rng, [blob], 650, green), wood)


def _conifer(rng: Rng, radius: float) -> Mesh:
    height, wide = rng.uniform(0.8, 1.3), 1.05 * radius
    green = pick(rng, _GREENS, 0.06)
    profile = [(0.85 * wide, 0.0), (0.9 * wide, 0.1 * height), (0.03, 0.95 * height)]
    core = lathe(profile, green.shaded(0.45), sides=12)
    up = 1 - np.sqrt(rng.uniform(0, 1, (800, 1)))
    turns = rng.uniform(0, 2 * math.pi, (800, 1))
    ring = np.concatenate([np.cos(turns), 0 * turns, np.sin(turns)], 1)
    points = ring * wide * (1 - up) * rng.uniform(0.9, 1.1, (800, 1)) + up * (0, height, 0)
    outwards = unit(ring + np.array([0, wide / height, 0]))
    return join(core, leaves(rng, points, outwards, 0.05, green, height))


def _blades(rng: Rng, radius: float) -> Mesh:
    """Make grass, flax or a yucca: blades that rise and bend outwards."""
    stiff = rng.random() < 0.5
    count, length = (110, rng.uniform(0.55, 0.85)) if stiff else (480, rng.uniform(0.5, 0.8))
    width = 0.055 if stiff else 0.016
    green = pick(rng, _GREENS if stiff or rng.random() < 0.4 else _DRY, 0.15)
    return blades(rng, count, length, width, np.full(2, 0.4 * radius), green)


def _laurel(rng: Rng, radius: float) -> Mesh:
    """Make a loose plant with large leaves."""
    height, green = rng.uniform(0.5, 0.9), pick(rng, _GREENS, 0.25)
    stems = []
    for x, z in rng.uniform(-1, 1, (7, 2)) * radius:
        path = [(0, -0.05, 0), (x / 2, 0.5 * height, z / 2), (x, 0.9 * height, z)]
        stems.append(tube(path, 0.012, finish(_BARK[0]), sides=4, capped=False))
    directions = random_directions(rng, 420)
    reach = rng.uniform(0.35, 1.0, (420, 1)) ** 0.5
    points = directions * reach * (1.25 * radius, 0.5 * height, 1.25 * radius)
    points += np.array([0, 0.58 * height, 0])
    crown = leaves(rng, points, directions, rng.uniform(0.1, 0.15), green, height)
    return join(*stems, crown)


def planter(rng: Rng) -> Mesh:
    """Make a long trough of concrete, wood or steel with grasses or a low hedge."""
    size = rng.uniform((1.0, 0.4, 0.4), (1.8, 0.65, 0.6))
    trough = pick(rng, ("#96928a", "#7b776f", "#6a4f38", "#3b3d40", "#8c4a34"), 0.04)
    walls = box(size, (0, size[1] / 2, 0), trough, 0.015)
    soil = box((0.92 * size[0], 0.01, 0.85 * size[2]), (0, size[1], 0), finish("#2a211a"))
    if rng.random() < 0.5:
        green = pick(rng, (*_GREENS, *_DRY), 0.1)
        grown = blades(rng, 800, rng.uniform(0.4, 0.75), 0.018, size[[0, 2]] * 0.42, green)
    else:
        block = np.array([0.95 * size[0], rng.uniform(0.25, 0.5), 0.9 * size[2]])
        green = pick(rng, _GREENS, 0.1)
        core = box(block - 0.05, (0, block[1] / 2, 0), green.shaded(0.5), 0.06)
        points, outwards = sample_block(rng, block, 800)
        grown = join(core, leaves(rng, points, outwards, 0.075, green, block[1]))
    return replace(join(walls, soil, moved(grown, y=size[1])), grain=0.15)


def bare_bush(rng: Rng) -> Mesh:
    """Make a shrub without leaves: twigs that fork, 0.9 to 1.5 m high."""
    bark, height = pick(rng, (*_BARK, "#6d4035")), rng.uniform(0.9, 1.5)
    twigs = _Twigs(rng)
    for _ in range(int(rng.integers(11, 16))):
        turn, lean = rng.uniform(0, 2 * math.pi), rng.uniform(0.05, 0.5)
        x, z = math.cos(turn), math.sin(turn)
        direction = np.array([lean * x, 1, lean * z])
        twigs.grow(np.array([0.12 * x, 0, 0.12 * z]), direction * 0.4 * height, 0.011, 3)
    return rods(twigs.segments, twigs.radii, bark)


class _Twigs:
    """Forking branches as segments (start, end) and radii (start, end)."""

    def __init__(self, rng: Rng) -> None:
        self._rng = rng
        self.segments: list[tuple[np.ndarray, np.ndarray]] = []
        self.radii: list[tuple[float, float]] = []

    def grow(self, start: np.ndarray, step: np.ndarray, radius: float, levels: int) -> None:
        """Add a branch from `start` along `step`, then `levels` - 1 generations at its end."""
        end = start + step
        self.segments.append((start, end))
        self.radii.append((radius, 0.7 * radius))
        if levels == 1:
            return
        for _ in range(2 if levels < 3 else 3):
            length = self._rng.uniform(0.55, 0.85) * math.sqrt(float((step**2).sum()))
            turned = unit(step) + 0.55 * random_directions(self._rng, 1)[0] + np.array([0, 0.1, 0])
            self.grow(end, length * unit(turned), 0.65 * radius, levels - 1)


def tree(rng: Rng) -> Mesh:
    """Make a bare tree with roots and bark; its branches start above people's heads."""
    radius, bark = rng.uniform(0.09, 0.19), pick(rng, _BARK, 0.02)
    heights = np.array([0, 0.08, 0.25, 0.6, 1.2, 1.9, 2.6, 3.4, 4.4, 5.4])
    parts = np.array([1.7, 1.4, 1.15, 1.0, 0.95, 0.9, 0.85, 0.7, 0.45, 0.2])
    drift = np.cumsum(rng.normal(0, 0.025, (len(heights), 2)), 0) * (heights > 0.3)[:, None]
    ridges = 1 + 0.09 * rng.normal(size=(1, 14)) + 0.04 * rng.normal(size=(len(heights), 14))
    spread, (x, z) = radius * parts[:, None] * ridges, circle(14).T
    levels = np.broadcast_to(heights[:, None], spread.shape)
    sections = np.stack([drift[:, :1] + spread * x, levels, drift[:, 1:] - spread * z], 2)
    shades = [bark.shaded(factor) for factor in (0.75, 0.9, 1.0, 1.15)]
    trunk = loft(sections, shades, rng.integers(0, 4, (len(heights) - 1, 14)), crease=75)
    branches = _Twigs(rng)
    for _ in range(int(rng.integers(5, 9))):
        row = int(rng.integers(6, len(heights)))
        start = np.array([drift[row, 0], heights[row], drift[row, 1]])
        turn, reach = rng.uniform(0, 2 * math.pi), rng.uniform(0.5, 0.9)
        step = reach * np.array([math.cos(turn), rng.uniform(0.4, 1.2), math.sin(turn)])
        branches.grow(start, step, 0.45 * radius * parts[row], 3)
    twigs = rods(branches.segments, branches.radii, bark, sides=4)
    return replace(join(trunk, twigs), grain=0.22)
