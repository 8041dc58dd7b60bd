"""Railings, barriers, traffic cones and low walls."""

from __future__ import annotations

import numpy as np

from pipeline.world.finishes import BLACK_PLASTIC, METALS, STONES, Finish, finish, pick
from pipeline.world.meshes import build, join, rotation, transformed
from pipeline.world.solids import Point, box, ellipsoid, lathe, loft, rods, tube
from pipeline.world.surfaces import Mesh

_FRONT_SQUARE = ((-1, 1), (-1, -1), (1, -1), (1, 1))  # signs of y and z, seen from the +x end


def railing(rng: np.random.Generator) -> Mesh:
    """Two or three metres of a railing: upright bars, or two or three level ones."""
    paint = pick(rng, (*METALS, "#d8d8d2"), 0.2)
    length, height = rng.uniform(2.0, 3.2), rng.uniform(0.9, 1.15)
    bars = [_bar((-length / 2, height, 0), (length / 2, height, 0), 0.025, paint)]
    posts = 2 + int(length > 2.6)
    for x in np.linspace(-length / 2, length / 2, posts):
        bars.append(_bar((x, 0, 0), (x, height, 0), 0.025, paint))
    if rng.random() < 0.6:
        bars.append(_bar((-length / 2, 0.12, 0), (length / 2, 0.12, 0), 0.018, paint))
        places = np.arange(-length / 2, length / 2, rng.uniform(0.1, 0.14))
        upright = [((x, 0.12, 0), (x, height, 0)) for x in places]
        bars.append(rods(upright, 0.009, paint, sides=4))
    else:
        for y in np.linspace(0, height, int(rng.integers(3, 5)))[1:-1]:
            bars.append(_bar((-length / 2, y, 0), (length / 2, y, 0), 0.02, paint))
    return join(*bars)


def _bar(start: Point, end: Point, radius: float, paint: Finish) -> Mesh:
    return tube([start, end], radius, paint, sides=7)


def barrier(rng: np.random.Generator) -> Mesh:
    """A board with red and white stripes on feet, or a barrier of plastic or concrete."""
    if rng.random() < 0.5:
        return _moulded_barrier(rng)
    length, height = rng.uniform(1.6, 2.2), rng.uniform(0.9, 1.05)
    red, white = pick(rng, ("#c0392b", "#d9661f"), 0.15), finish("#e6e4dc", 0.15)
    parts = []
    for level in (height - 0.13, height - 0.55):
        stripes = np.linspace(-length / 2, length / 2, 9)
        slant = 0.1
        sections = [
            [(x + slant * b, level + 0.12 * b, 0.015 * c) for b, c in _FRONT_SQUARE]
            for x in stripes
        ]
        parts.append(loft(sections, [red, white], [step % 2 for step in range(8)]))
    for side in (-1, 1):
        x = side * (length / 2 - 0.12)
        parts.append(box((0.05, height, 0.04), (x, height / 2, -0.03), BLACK_PLASTIC))
        parts.append(box((0.2, 0.06, 0.6), (x, 0.03, 0), BLACK_PLASTIC, 0.01))
    if rng.random() < 0.5:
        lamp = ellipsoid((0.07, 0.09, 0.04), (0, height + 0.1, 0), finish("#d9861f", 0.6), 6, 10)
        parts.append(lamp)
    return join(*parts)


def _moulded_barrier(rng: np.random.Generator) -> Mesh:
    """A barrier with a wide foot, 1.5 to 2.2 m long."""
    concrete = rng.random() < 0.4
    paint = pick(rng, STONES if concrete else ("#c0392b", "#e6e4dc", "#d9661f"), 0.15)
    length, height = rng.uniform(1.5, 2.2), rng.uniform(0.8, 1.0)
    outline = [(0.26, 0.0), (0.26, 0.1), (0.11, 0.36), (0.08, 1.0)]
    half = [(z, height * y) for z, y in outline]
    ring = [*half, *((-z, y) for z, y in half[::-1])]
    sections = [
        [(x, y, part * z) for z, y in ring[::-1]]
        for x, part in ((-length / 2, 0.9), (0.03 - length / 2, 1), (length / 2 - 0.03, 1),
                        (length / 2, 0.9))
    ]  # fmt: skip
    return loft(sections, paint, crease=30)


def cone(rng: np.random.Generator) -> Mesh:
    """A traffic cone of 0.45 to 0.9 m with one or two white bands."""
    orange = pick(rng, ("#e4551b", "#d8481c", "#ee6a24"), 0.1)
    white = finish("#e9e7e0", 0.15)
    height = rng.uniform(0.45, 0.9)
    bottom, top = 0.19 * height + 0.03, 0.028
    marks = (0.04, 0.42, 0.6, 0.7, 0.82, 1.0)
    profile = [(bottom + (top - bottom) * mark, height * mark) for mark in marks]
    body = lathe(profile, [orange, white], [0, 1, 0, int(rng.integers(2)), 0], sides=14)
    foot = box((2.7 * bottom, 0.04, 2.7 * bottom), (0, 0.02, 0), orange.shaded(0.7), 0.01)
    return join(foot, body)


def low_wall(rng: np.random.Generator) -> Mesh:
    """A piece of a garden wall, of brick or of rendered concrete, with a coping."""
    size = rng.uniform((1.8, 0.55, 0.22), (2.8, 1.05, 0.36))
    stone = pick(rng, STONES, 0.02)
    coping = box((size[0] + 0.04, 0.07, size[2] + 0.06), (0, size[1] - 0.035, 0), stone, 0.01)
    if rng.random() < 0.4:
        paint = pick(rng, (*STONES, "#c9c4b6"), 0.02)
        return join(box(size, (0, size[1] / 2, 0), paint, 0.005), coping)
    return join(_brick_wall(rng, size), coping)


def _brick_wall(rng: np.random.Generator, size: np.ndarray) -> Mesh:
    """Bricks of several shades before a block of mortar."""
    length, height, depth = size
    clay = pick(rng, ("#8a4a36", "#9c5a41", "#7a4334", "#a58a6a"), 0.02)
    shades = [clay.shaded(factor) for factor in (0.75, 0.9, 1.0, 1.12)]
    mortar = finish("#8f887c", 0.02)
    wide, high, joint = 0.215, 0.08, 0.012
    points, which = [], []
    for course in range(int((height - 0.07) / high)):
        y = course * high
        for start in np.arange(-length / 2 - (course % 2) * wide / 2, length / 2, wide):
            left, right = max(start, -length / 2), min(start + wide - joint, length / 2)
            if right - left > 0.03:
                points.append(
                    [(left, y), (right, y), (right, y + high - joint), (left, y + high - joint)]
                )
                which.append(int(rng.integers(len(shades))))
    flat = np.array(points).reshape(-1, 2)
    front = np.column_stack([flat, np.full(len(flat), depth / 2 + 0.003)])
    corners = np.array([(0, 1, 2), (0, 2, 3)])
    triangles = (4 * np.arange(len(points))[:, None, None] + corners).reshape(-1, 3)
    bricks = build(front, triangles, shades, np.repeat(which, 2))
    block = box(size, (0, height / 2, 0), mortar)
    return join(block, bricks, transformed(bricks, rotation(1, 180)))
