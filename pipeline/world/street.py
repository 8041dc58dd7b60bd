"""Street furniture and other things that stand about."""

from __future__ import annotations

import math

import numpy as np

from pipeline.world.finishes import (
    PAINTS,
    RUBBER,
    Finish,
    finish,
    pick,
)
from pipeline.world.meshes import (
    box,
    circle,
    join,
    lathe,
    loft,
    mirrored,
    moved,
    patch,
    plate,
    rotation,
    transformed,
    tube,
)
from pipeline.world.surfaces import Mesh

_METALS = ("#3b3e40", "#24262a", "#6e7274", "#9a9d9e", "#1f3a2c")
_STONES = ("#a39e94", "#8b867d", "#b5ab9b", "#77746f", "#9c7f6a")


def bin_(rng: np.random.Generator) -> Mesh:
    """A litter bin: a round one with slats, a dome with a hole, or a wheeled one."""
    return (_slatted_bin, _domed_bin, _wheeled_bin)[int(rng.integers(3))](rng)


def _slatted_bin(rng: np.random.Generator) -> Mesh:
    paint = pick(rng, ("#27502f", "#26282b", "#6b4a2f", "#45484a"), 0.1)
    height, radius = rng.uniform(0.75, 0.95), rng.uniform(0.24, 0.32)
    inner = lathe([(0.9 * radius, 0.03), (0.93 * radius, height - 0.03)], paint.shaded(0.25))
    rings = [
        lathe([(0, y), (radius, y), (radius, y + 0.05), (0, y + 0.05)], paint.shaded(0.7))
        for y in (0.0, height - 0.05)
    ]
    slat = box(
        (0.75 * 2 * math.pi * radius / 18, height - 0.06, 0.02), (0, height / 2, radius), paint
    )
    slats = [transformed(slat, rotation(1, 20 * step)) for step in range(18)]
    lid = lathe(
        [(0, height), (1.02 * radius, height), (0.8 * radius, height + 0.06), (0, height + 0.08)],
        paint.shaded(0.6),
        sides=18,
    )
    return join(inner, *rings, *slats, lid)


def _domed_bin(rng: np.random.Generator) -> Mesh:
    paint = pick(rng, PAINTS, 0.3)
    height, radius = rng.uniform(0.7, 0.85), rng.uniform(0.22, 0.29)
    profile = [(0.92, 0.0), (0.95, 0.04), (0.97, 0.9), (1.04, 0.9), (1.04, 0.98), (1.0, 1.0),
               (1.0, 1.22), (0.88, 1.36), (0.55, 1.46), (0, 1.5)]  # fmt: skip
    body = lathe(
        [(radius * part, height * y) for part, y in profile],
        [paint, paint.shaded(0.4), finish("#0c0c0c")],
        [1, 0, 0, 1, 1, 0, 0, 0, 0],
        sides=20,
    )
    width, low, high = 0.62 * radius, 1.02 * height, 1.2 * height
    ring = [_on_cylinder(1.01 * radius, x, (low, high)) for x in np.linspace(-width, width, 6)]
    return join(body, loft(ring, finish("#0a0a0a"), open_ring=True))


def _on_cylinder(radius: float, x: float, heights: tuple[float, float]) -> list[list[float]]:
    z = math.sqrt(radius**2 - x**2)
    return [[x, y, z] for y in reversed(heights)]


def _wheeled_bin(rng: np.random.Generator) -> Mesh:
    paint = pick(rng, ("#2a2d2f", "#22462c", "#1e3b66", "#4a3a2a", "#6b6e70"), 0.15)
    width, depth, height = rng.uniform(0.48, 0.58), rng.uniform(0.5, 0.65), rng.uniform(0.92, 1.05)
    sections = [
        _rectangle(part * width, part * depth, y, shift)
        for y, part, shift in ((0.06, 0.76, -0.03), (0.5 * height, 0.9, 0), (height, 1.0, 0.02))
    ]
    lid_paint = pick(rng, ("#2a2d2f", "#c9a227", "#1e4f8f", "#3b7a3e"), 0.2)
    lid = box((1.06 * width, 0.05, 1.08 * depth), (0, height + 0.02, 0.02), lid_paint, 0.02)
    rim = box((1.05 * width, 0.04, 1.05 * depth), (0, height - 0.04, 0.02), paint)
    wheel = moved(_wheel(0.1, 0.05), x=0.42 * width, y=0.1, z=-0.4 * depth)
    bar = (0.4 * width, height - 0.03, -0.53 * depth)
    handle = tube([(-bar[0], *bar[1:]), bar], 0.018, paint, sides=6)
    foot = box((0.7 * width, 0.08, 0.1), (0, 0.04, 0.3 * depth), paint)
    return join(loft(sections, paint), lid, rim, wheel, mirrored(wheel, 0), handle, foot)


def _rectangle(width: float, depth: float, y: float, z: float = 0.0) -> np.ndarray:
    """(4, 3) corners at height `y`, counter-clockwise seen from above."""
    corners = ((-1, 1), (1, 1), (1, -1), (-1, -1))
    return np.array([(a * width / 2, y, z + b * depth / 2) for a, b in corners])


def _wheel(radius: float, width: float, sides: int = 12) -> Mesh:
    """A small wheel about x."""
    ring = circle(sides)
    sections = [
        np.column_stack([np.full(sides, x), part * radius * ring])
        for x, part in ((-width / 2, 0.9), (-width / 4, 1.0), (width / 4, 1.0), (width / 2, 0.9))
    ]
    return loft(sections, RUBBER)


def sign_board(rng: np.random.Generator) -> Mesh:
    """An A-shaped board on the pavement, or a panel on two legs."""
    panel, frame = pick(rng, (*PAINTS, "#f0efe8")), pick(rng, ("#2b2c2e", "#8d9092", "#6b4a2f"))
    width, height = rng.uniform(0.55, 0.85), rng.uniform(0.8, 1.15)
    face = join(
        box((width, height, 0.03), (0, height / 2, 0), frame, 0.006),
        moved(_poster(rng, 0.88 * width, 0.88 * height, panel), y=height / 2, z=0.017),
    )
    if rng.random() < 0.5:
        leaning = transformed(face, rotation(0, -14), (0, 0, 0.14 * height + 0.12))
        return join(leaning, transformed(leaning, rotation(1, 180)))
    legs = [
        box((0.05, height + 0.5, 0.05), (side * width / 2, height / 2 + 0.25, 0), frame)
        for side in (-1, 1)
    ]
    return join(moved(face, y=0.5), *legs)


def _poster(rng: np.random.Generator, width: float, height: float, paper: Finish) -> Mesh:
    """A sheet about the origin that faces +z: a picture, a heading and lines of text."""
    bright = sum(paper.colour) > 0.8
    ink = finish("#1f2226") if bright else finish("#ecebe4")
    picture, layer = pick(rng, PAINTS), 0.002
    low, high = rng.uniform(-0.05, 0.1), rng.uniform(0.3, 0.45)
    parts = [patch((-width / 2, -height / 2, 0), (width, 0, 0), (0, height, 0), paper)]
    parts.append(
        patch((-0.42 * width, low * height, layer), (0.84 * width, 0, 0),
              (0, (high - low) * height, 0), picture)
    )  # fmt: skip
    blob = plate(
        [(0.2 * width * x, 0.35 * (high - low) * height * y) for x, y in circle(9)], layer, ink
    )
    parts.append(moved(blob, rng.uniform(-0.15, 0.15) * width, (low + high) / 2 * height, layer))
    y = low - 0.09
    while y > -0.45:
        length = rng.uniform(0.4, 0.84)
        parts.append(patch((-0.42 * width, y * height, layer), (length * width, 0, 0),
                           (0, 0.03 * height, 0), ink))  # fmt: skip
        y -= 0.07
    return join(*parts)


def railing(rng: np.random.Generator) -> Mesh:
    """Two or three metres of a railing: upright bars, or two or three level ones."""
    paint = pick(rng, (*_METALS, "#d8d8d2"), 0.2)
    length, height = rng.uniform(2.0, 3.2), rng.uniform(0.9, 1.15)
    bars = [_bar((-length / 2, height, 0), (length / 2, height, 0), 0.025, paint)]
    posts = 2 + int(length > 2.6)
    for x in np.linspace(-length / 2, length / 2, posts):
        bars.append(_bar((x, 0, 0), (x, height, 0), 0.025, paint))
    if rng.random() < 0.6:
        bars.append(_bar((-length / 2, 0.12, 0), (length / 2, 0.12, 0), 0.018, paint))
        for x in np.arange(-length / 2, length / 2, rng.uniform(0.1, 0.14)):
            bars.append(_bar((x, 0.12, 0), (x, height, 0), 0.009, paint, sides=4))
    else:
        for y in np.linspace(0, height, int(rng.integers(3, 5)))[1:-1]:
            bars.append(_bar((-length / 2, y, 0), (length / 2, y, 0), 0.02, paint))
    return join(*bars)


def _bar(
    start: tuple[float, float, float],
    end: tuple[float, float, float],
    radius: float,
    paint: Finish,
    sides: int = 7,
) -> Mesh:
    return tube([start, end], radius, paint, sides=sides)


def boxes(rng: np.random.Generator) -> Mesh:
    """Two to four cardboard boxes, one on another or beside it."""
    card = pick(rng, ("#a9825a", "#b8946a", "#93704a"), 0.02)
    parts: list[Mesh] = []
    y = 0.0
    for _ in range(int(rng.integers(1, 4))):
        size = rng.uniform((0.45, 0.3, 0.35), (0.75, 0.5, 0.55))
        parts.append(moved(_cardboard(rng, size, card), x=rng.uniform(-0.06, 0.06), y=y))
        y += size[1]
    if rng.random() < 0.6:
        size = rng.uniform((0.35, 0.25, 0.3), (0.5, 0.5, 0.45))
        parts.append(moved(_cardboard(rng, size, card), x=0.7, z=rng.uniform(-0.1, 0.1)))
    return join(*parts)


def _cardboard(rng: np.random.Generator, size: np.ndarray, card: Finish) -> Mesh:
    """A closed box on the ground, a little turned, with tape and a label."""
    x, y, z = size
    shade = card.shaded(rng.uniform(0.85, 1.1))
    tape = finish("#c9b48a", 0.3).shaded(rng.uniform(0.6, 1.0))
    label = box((0.25 * x, 0.3 * y, 0.004), (rng.uniform(-0.2, 0.2) * x, 0.6 * y, z / 2),
                finish("#e4e1d6"))  # fmt: skip
    strip = box((0.06, y + 0.004, z + 0.004), (0, y / 2, 0), tape)
    whole = join(box(size, (0, y / 2, 0), shade, 0.006), strip, label)
    return transformed(whole, rotation(1, rng.uniform(-12, 12)))


def pillar(rng: np.random.Generator) -> Mesh:
    """A round or square column of 3.2 m that hides one side of a person."""
    stone = pick(rng, (*_STONES, "#e2ded2", "#4c4f52"), 0.04)
    radius = rng.uniform(0.12, 0.24)
    if rng.random() < 0.5:
        profile = [(1.25, 0), (1.25, 0.12), (1.05, 0.16), (1.0, 0.2), (0.97, 3.2)]
        return lathe([(radius * part, y) for part, y in profile], stone, sides=18)
    base = box((2.6 * radius, 0.15, 2.6 * radius), (0, 0.075, 0), stone.shaded(0.9), 0.01)
    return join(base, box((2 * radius, 3.2, 2 * radius), (0, 1.6, 0), stone, 0.015))


def bollard(rng: np.random.Generator) -> Mesh:
    """A post of about a metre that keeps cars out, at times with a band that reflects."""
    paint = pick(rng, (*_METALS, *_STONES, "#d5b12b"), 0.15)
    height, radius = rng.uniform(0.75, 1.1), rng.uniform(0.05, 0.11)
    band = finish("#e8e6dd", 0.2) if rng.random() < 0.5 else paint
    top = 0.25 if rng.random() < 0.5 else 1.0
    profile = [(1.3, 0), (1.3, 0.04), (1.0, 0.06), (1.0, 0.78), (1.0, 0.88), (1.0, 0.94),
               (0.5 + 0.5 * top, 0.985), (0.6 * top, 1.0), (0, 1.0)]  # fmt: skip
    return lathe([(radius * part, height * y) for part, y in profile], [paint, band],
                 [0, 0, 0, 1, 0, 0, 0, 0], sides=14)  # fmt: skip


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
