"""Posts, pillars, railings, barriers, traffic cones and low walls."""

from __future__ import annotations

import numpy as np

from pipeline.world import Rng
from pipeline.world.finishes import (
    BLACK_PLASTIC,
    GALVANISED,
    METALS,
    PAINTS,
    STONES,
    Finish,
    finish,
    pick,
)
from pipeline.world.meshes import build, join, moved, rotation, transformed
from pipeline.world.solids import Point, box, circle, ellipsoid, lathe, loft, plate, rods, tube
from pipeline.world.surfaces import Mesh

_FRONT_SQUARE = ((-1, 1), (-1, -1), (1, -1), (1, 1))  # signs of y and z, seen from the +x end


def railing(rng: Rng) -> Mesh:
    """Make two or three metres of a railing: upright bars, or two or three level ones."""
    paint = pick(rng, (*METALS, "#d8d8d2"), 0.2)
    length, height = rng.uniform(2.0, 3.2), rng.uniform(0.9, 1.15)
    bars = [_bar((-length / 2, height, 0), (length / 2, height, 0), 0.025, paint)]
    for x in np.linspace(-length / 2, length / 2, 3 if length > 2.6 else 2):
        bars.append(_bar((x, 0, 0), (x, height, 0), 0.025, paint))
    if rng.random() < 0.6:
        bars.append(_bar((-length / 2, 0.12, 0), (length / 2, 0.12, 0), 0.018, paint))
        xs = np.arange(-length / 2, length / 2, rng.uniform(0.1, 0.14))
        bars.append(rods([((x, 0.12, 0), (x, height, 0)) for x in xs], 0.009, paint, sides=4))
    else:
        for y in np.linspace(0, height, int(rng.integers(3, 5)))[1:-1]:
            bars.append(_bar((-length / 2, y, 0), (length / 2, y, 0), 0.02, paint))
    return join(*bars)


def _bar(start: Point, end: Point, radius: float, paint: Finish) -> Mesh:
    return tube([start, end], radius, paint, sides=7)


def barrier(rng: Rng) -> Mesh:
    """Make a board with red and white stripes on feet, or a barrier of plastic or concrete."""
    if rng.random() < 0.5:
        return _moulded_barrier(rng)
    length, height = rng.uniform(1.6, 2.2), rng.uniform(0.9, 1.05)
    red, white = pick(rng, ("#c0392b", "#d9661f"), 0.15), finish("#e6e4dc", 0.15)
    parts = []
    for level in (height - 0.13, height - 0.55):
        sections = [
            [(x + 0.1 * b, level + 0.12 * b, 0.015 * c) for b, c in _FRONT_SQUARE]
            for x in np.linspace(-length / 2, length / 2, 9)
        ]
        parts.append(loft(sections, [red, white], [step % 2 for step in range(8)]))
    for side in (-1, 1):
        x = side * (length / 2 - 0.12)
        parts.append(box((0.05, height, 0.04), (x, height / 2, -0.03), BLACK_PLASTIC))
        parts.append(box((0.2, 0.06, 0.6), (x, 0.03, 0), BLACK_PLASTIC, 0.01))
    if rng.random() < 0.5:
        at = (0, height + 0.1, 0)
        parts.append(ellipsoid((0.07, 0.09, 0.04), at, finish("#d9861f", 0.6), 6, 10))
    return join(*parts)


def _moulded_barrier(rng: Rng) -> Mesh:
    """Make a barrier with a wide foot, 1.5 to 2.2 m long."""
    concrete = rng.random() < 0.4
    paint = pick(rng, STONES if concrete else ("#c0392b", "#e6e4dc", "#d9661f"), 0.15)
    length, height = rng.uniform(1.5, 2.2), rng.uniform(0.8, 1.0)
    half = [(z, height * y) for z, y in ((0.26, 0.0), (0.26, 0.1), (0.11, 0.36), (0.08, 1.0))]
    ring = [*((-z, y) for z, y in half), *half[::-1]]
    ends = ((-length / 2, 0.9), (0.03 - length / 2, 1), (length / 2 - 0.03, 1), (length / 2, 0.9))
    sections = [[(x, y, part * z) for z, y in ring] for x, part in ends]
    return loft(sections, paint, crease=30)


def cone(rng: Rng) -> Mesh:
    """Make a traffic cone of 0.45 to 0.9 m with one or two white bands."""
    orange = pick(rng, ("#e4551b", "#d8481c", "#ee6a24"), 0.1)
    white = finish("#e9e7e0", 0.15)
    height = rng.uniform(0.45, 0.9)
    bottom, top = 0.19 * height + 0.03, 0.028
    marks = (0.04, 0.42, 0.6, 0.7, 0.82, 1.0)
    profile = [(bottom + (top - bottom) * mark, height * mark) for mark in marks]
    body = lathe(profile, [orange, white], [0, 1, 0, int(rng.integers(2)), 0], sides=14)
    foot = box((2.7 * bottom, 0.04, 2.7 * bottom), (0, 0.02, 0), orange.shaded(0.7), 0.01)
    return join(foot, body)


def low_wall(rng: Rng) -> Mesh:
    """Make a piece of a garden wall of brick or concrete, with a coping."""
    size = rng.uniform((1.8, 0.55, 0.22), (2.8, 1.05, 0.36))
    stone = pick(rng, STONES, 0.02)
    coping = box((size[0] + 0.04, 0.07, size[2] + 0.06), (0, size[1] - 0.035, 0), stone, 0.01)
    if rng.random() < 0.4:
        paint = pick(rng, (*STONES, "#c9c4b6"), 0.02)
        return join(box(size, (0, size[1] / 2, 0), paint, 0.005), coping)
    return join(_brick_wall(rng, size), coping)


def _brick_wall(rng: Rng, size: np.ndarray) -> Mesh:
    """Make bricks of several shades before a block of mortar."""
    length, height, depth = size
    clay = pick(rng, ("#8a4a36", "#9c5a41", "#7a4334", "#a58a6a"), 0.02)
    shades = [clay.shaded(factor) for factor in (0.75, 0.9, 1.0, 1.12)]
    wide, high, joint = 0.215, 0.08, 0.012
    corners, ids = [], []
    for course in range(int((height - 0.07) / high)):
        low, top = course * high, course * high + high - joint
        for start in np.arange(-length / 2 - (course % 2) * wide / 2, length / 2, wide):
            left, right = max(start, -length / 2), min(start + wide - joint, length / 2)
            if right - left > 0.03:
                corners += [(left, low), (right, low), (right, top), (left, top)]
                ids.append(int(rng.integers(len(shades))))
    front = np.column_stack([corners, np.full(len(corners), depth / 2 + 0.003)])
    triangles = 4 * np.arange(len(ids))[:, None, None] + np.array([(0, 1, 2), (0, 2, 3)])
    bricks = build(front, triangles.reshape(-1, 3), shades, np.repeat(ids, 2))
    block = box(size, (0, height / 2, 0), finish("#8f887c", 0.02))
    return join(block, bricks, transformed(bricks, rotation(1, 180)))


def bollard(rng: Rng) -> Mesh:
    """Make a bollard, about a metre high; half of them have a reflective band."""
    paint = pick(rng, (*METALS, *STONES, "#d5b12b"), 0.15)
    height, radius = rng.uniform(0.75, 1.1), rng.uniform(0.05, 0.11)
    band = finish("#e8e6dd", 0.2) if rng.random() < 0.5 else paint
    top = 0.25 if rng.random() < 0.5 else 1.0
    profile = [(1.3, 0), (1.3, 0.04), (1.0, 0.06), (1.0, 0.78), (1.0, 0.88), (1.0, 0.94),
               (0.5 + 0.5 * top, 0.985), (0.6 * top, 1.0), (0, 1.0)]  # fmt: skip
    bands = [0, 0, 0, 1, 0, 0, 0, 0]
    return lathe(np.multiply(profile, (radius, height)), [paint, band], bands, sides=14)


def pillar(rng: Rng) -> Mesh:
    """Make a round or square column of 3.2 m."""
    stone = pick(rng, (*STONES, "#e2ded2", "#4c4f52"), 0.04)
    radius = rng.uniform(0.12, 0.24)
    if rng.random() < 0.5:
        profile = [(1.25, 0), (1.25, 0.12), (1.05, 0.16), (1.0, 0.2), (0.97, 3.2)]
        return lathe(np.multiply(profile, (radius, 1)), stone, sides=18)
    base = box((2.6 * radius, 0.15, 2.6 * radius), (0, 0.075, 0), stone.shaded(0.9), 0.01)
    return join(base, box((2 * radius, 3.2, 2 * radius), (0, 1.6, 0), stone, 0.015))


def sign_post(rng: Rng) -> Mesh:
    """Make a pole of about 2.6 m with one or two traffic signs."""
    steel = pick(rng, ("#8a8d8f", "#6e7274", "#45484a"), 0.25)
    height = rng.uniform(2.3, 2.9)
    parts = [tube([(0, 0, 0), (0, height, 0)], 0.03, steel, sides=8)]
    parts.append(moved(_traffic_sign(rng), y=height - 0.32, z=0.045))
    if rng.random() < 0.4:
        parts.append(moved(_plate_sign(rng), y=height - 0.85, z=0.045))
    if rng.random() < 0.3:
        parts.append(box((0.3, 0.42, 0.02), (0, 1.35, 0.04), pick(rng, PAINTS), 0.004))
    return join(*parts)


def _traffic_sign(rng: Rng) -> Mesh:
    """Make a round, triangular, square or octagonal sign."""
    red, blue, white = finish("#b3201f", 0.2), finish("#1d4f9c", 0.2), finish("#e9e8e2", 0.2)
    yellow, black = finish("#dfb31f", 0.2), finish("#1d1e20")
    shape, edge, field, mark = (
        (circle(18), red, white, black),
        (circle(3, 90) * 1.15, red, white, black),
        (circle(8, 22.5), white, red, white),
        (circle(4, 45) * 1.2, white, blue, white),
        (circle(4, 90) * 1.15, black, yellow, black),
        (circle(18), white, blue, white),
    )[int(rng.integers(6))]
    size = rng.uniform(0.27, 0.36)
    back = plate(size * shape, 0.015, edge)
    face = moved(plate(0.84 * size * shape, 0.004, field), z=0.008)
    width = rng.uniform(0.3, 0.9) * size
    bar = box((width, 0.16 * size, 0.004), (0, 0, 0.011), mark)
    cover = moved(plate(0.95 * size * shape, 0.004, GALVANISED), z=-0.008)
    return join(back, face, bar, cover)


def _plate_sign(rng: Rng) -> Mesh:
    """Make a small plate with two lines of text."""
    paint = pick(rng, ("#e9e8e2", "#1d4f9c", "#2c6a3c", "#e9e8e2"), 0.2)
    ink = finish("#1d1e20") if sum(paint.colour) > 1 else finish("#e9e8e2")
    line = box((0.32, 0.04, 0.004), (0, 0.03, 0.01), ink)
    return join(box((0.44, 0.24, 0.012), (0, 0, 0), paint), line, moved(line, y=-0.08))


def lamp_post(rng: Rng) -> Mesh:
    """Make the lower 5 m of a street lamp, or a whole low one with a globe."""
    paint = pick(rng, (*METALS, "#8a8d8f"), 0.2)
    radius = rng.uniform(0.055, 0.09)
    profile = [(2.0, 0), (2.0, 0.06), (1.5, 0.1), (1.5, 0.75), (1.05, 0.82), (1.0, 1.2)]
    if rng.random() < 0.5:
        pole = lathe(np.multiply([*profile, (0.75, 5.0)], (radius, 1)), paint, sides=10)
        arm = tube([(0, 4.9, 0), (0.3, 5.2, 0), (1.2, 5.3, 0)], 0.03, paint, sides=6)
        head = box((0.55, 0.09, 0.2), (1.4, 5.29, 0), paint, 0.02)
        return join(pole, arm, head)
    globe = ellipsoid((0.2, 0.2, 0.2), (0, 3.35, 0), finish("#d9d8d0", 0.4), 8, 12)
    collar = lathe([(0.5, 3.1), (1.6, 3.15), (1.4, 3.2), (0, 3.2)], paint, sides=10)
    pole = lathe(np.multiply([*profile, (0.8, 3.15)], (radius, 1)), paint, sides=10)
    return join(pole, transformed(collar, np.diag([radius, 1, radius])), globe)
