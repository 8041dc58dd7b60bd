"""Posts and columns: bollards, pillars, sign posts, street lamps."""

from __future__ import annotations

import numpy as np

from pipeline.world.finishes import GALVANISED, METALS, PAINTS, STONES, finish, pick
from pipeline.world.meshes import join, moved, transformed
from pipeline.world.solids import box, circle, ellipsoid, lathe, plate, tube
from pipeline.world.surfaces import Mesh


def bollard(rng: np.random.Generator) -> Mesh:
    """A bollard, about a metre high; half of them have a reflective band."""
    paint = pick(rng, (*METALS, *STONES, "#d5b12b"), 0.15)
    height, radius = rng.uniform(0.75, 1.1), rng.uniform(0.05, 0.11)
    band = finish("#e8e6dd", 0.2) if rng.random() < 0.5 else paint
    top = 0.25 if rng.random() < 0.5 else 1.0
    profile = [(1.3, 0), (1.3, 0.04), (1.0, 0.06), (1.0, 0.78), (1.0, 0.88), (1.0, 0.94),
               (0.5 + 0.5 * top, 0.985), (0.6 * top, 1.0), (0, 1.0)]  # fmt: skip
    return lathe([(radius * part, height * y) for part, y in profile], [paint, band],
                 [0, 0, 0, 1, 0, 0, 0, 0], sides=14)  # fmt: skip


def pillar(rng: np.random.Generator) -> Mesh:
    """A round or square column of 3.2 m that hides one side of a person."""
    stone = pick(rng, (*STONES, "#e2ded2", "#4c4f52"), 0.04)
    radius = rng.uniform(0.12, 0.24)
    if rng.random() < 0.5:
        profile = [(1.25, 0), (1.25, 0.12), (1.05, 0.16), (1.0, 0.2), (0.97, 3.2)]
        return lathe([(radius * part, y) for part, y in profile], stone, sides=18)
    base = box((2.6 * radius, 0.15, 2.6 * radius), (0, 0.075, 0), stone.shaded(0.9), 0.01)
    return join(base, box((2 * radius, 3.2, 2 * radius), (0, 1.6, 0), stone, 0.015))


def sign_post(rng: np.random.Generator) -> Mesh:
    """A pole of about 2.6 m with one or two traffic signs."""
    steel = pick(rng, ("#8a8d8f", "#6e7274", "#45484a"), 0.25)
    height = rng.uniform(2.3, 2.9)
    parts = [tube([(0, 0, 0), (0, height, 0)], 0.03, steel, sides=8)]
    parts.append(moved(_traffic_sign(rng), y=height - 0.32, z=0.045))
    if rng.random() < 0.4:
        parts.append(moved(_plate_sign(rng), y=height - 0.85, z=0.045))
    if rng.random() < 0.3:
        parts.append(box((0.3, 0.42, 0.02), (0, 1.35, 0.04), pick(rng, PAINTS), 0.004))
    return join(*parts)


def _traffic_sign(rng: np.random.Generator) -> Mesh:
    """A round, triangular, square or octagonal sign about the origin."""
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


def _plate_sign(rng: np.random.Generator) -> Mesh:
    """A small plate with a line of text."""
    paint = pick(rng, ("#e9e8e2", "#1d4f9c", "#2c6a3c", "#e9e8e2"), 0.2)
    ink = finish("#1d1e20") if sum(paint.colour) > 1 else finish("#e9e8e2")
    line = box((0.32, 0.04, 0.004), (0, 0.03, 0.01), ink)
    return join(box((0.44, 0.24, 0.012), (0, 0, 0), paint), line, moved(line, y=-0.08))


def lamp_post(rng: np.random.Generator) -> Mesh:
    """The lower 5 m of a street lamp, or a whole low one with a globe."""
    paint = pick(rng, (*METALS, "#8a8d8f"), 0.2)
    radius = rng.uniform(0.055, 0.09)
    profile = [(2.0, 0), (2.0, 0.06), (1.5, 0.1), (1.5, 0.75), (1.05, 0.82), (1.0, 1.2)]
    if rng.random() < 0.5:
        pole = lathe([(radius * part, y) for part, y in [*profile, (0.75, 5.0)]], paint, sides=10)
        arm = tube([(0, 4.9, 0), (0.3, 5.2, 0), (1.2, 5.3, 0)], 0.03, paint, sides=6)
        head = box((0.55, 0.09, 0.2), (1.4, 5.29, 0), paint, 0.02)
        return join(pole, arm, head)
    globe = ellipsoid((0.2, 0.2, 0.2), (0, 3.35, 0), finish("#d9d8d0", 0.4), 8, 12)
    collar = lathe([(0.5, 3.1), (1.6, 3.15), (1.4, 3.2), (0, 3.2)], paint, sides=10)
    pole = lathe([(radius * part, y) for part, y in [*profile, (0.8, 3.15)]], paint, sides=10)
    return join(pole, transformed(collar, np.diag([radius, 1, radius])), globe)
