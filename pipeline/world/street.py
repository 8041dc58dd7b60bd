"""What a town puts into its streets: bins, posts, railings, walls, boxes."""

from __future__ import annotations

import math

import numpy as np

from pipeline.world.finishes import (
    BLACK_PLASTIC,
    CONCRETE,
    GALVANISED,
    PAINTS,
    RUBBER,
    Finish,
    finish,
    pick,
)
from pipeline.world.meshes import build, join, mirrored, moved, rotation, transformed
from pipeline.world.solids import box, circle, ellipsoid, lathe, loft, patch, plate, rods, tube
from pipeline.world.surfaces import Mesh

_PRINT = 0.002  # metres between what is printed and its sheet
METALS = ("#3b3e40", "#24262a", "#6e7274", "#9a9d9e", "#1f3a2c")
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


def poster(rng: np.random.Generator, width: float, height: float, paper: Finish) -> Mesh:
    """A sheet about the origin that faces +z: a picture or a heading, and text around it."""
    bright = sum(paper.colour) > 0.8
    ink = finish("#1f2226") if bright else finish("#ecebe4")
    sheet = [patch((-0.5, -0.5, 0), (1, 0, 0), (0, 1, 0), paper)]
    middle, half = rng.uniform(-0.15, 0.25), rng.uniform(0.08, 0.22)
    layout = int(rng.integers(3))
    if layout < 2:  # a picture; without it, the text goes over the whole sheet
        inner = 0.42 if layout == 0 else 0.5
        picture = pick(rng, PAINTS, spread=0.4)
        sheet.append(_stripe(-inner, inner, middle - half, middle + half, picture))
        sheet.append(_spot(rng, middle, half, pick(rng, (*PAINTS, "#ecebe4"), spread=0.4)))
    pitch = rng.uniform(0.055, 0.1)
    centred = rng.random() < 0.4
    for y in np.arange(0.44, -0.44, -pitch):
        if (layout < 2 and abs(y - middle) < half + 0.6 * pitch) or rng.random() < 0.15:
            continue
        length = rng.uniform(0.3, 0.82)
        left = -length / 2 if centred else -0.42
        sheet.append(_stripe(left, left + length, y - 0.45 * pitch, y, ink))
    return transformed(join(*sheet), np.diag([width, height, 1.0]))


def _stripe(left: float, right: float, low: float, high: float, paint: Finish) -> Mesh:
    """A rectangle just before a sheet."""
    return patch((left, low, _PRINT), (right - left, 0, 0), (0, high - low, 0), paint)


def _spot(rng: np.random.Generator, middle: float, half: float, paint: Finish) -> Mesh:
    """Something in a picture: round, or with three to six corners."""
    outline = circle(int(rng.integers(3, 13)), rng.uniform(0, 90))
    size = (rng.uniform(0.1, 0.35), rng.uniform(0.5, 0.95) * half)
    return moved(plate(outline * size, _PRINT, paint), rng.uniform(-0.15, 0.15), middle, _PRINT)


def railing(rng: np.random.Generator) -> Mesh:
    """Two or three metres of a railing: upright bars, or two or three level ones."""
    paint = pick(rng, (*METALS, "#d8d8d2"), 0.2)
    length, height = rng.uniform(2.0, 3.2), rng.uniform(0.9, 1.15)
    bars = [bar((-length / 2, height, 0), (length / 2, height, 0), 0.025, paint)]
    posts = 2 + int(length > 2.6)
    for x in np.linspace(-length / 2, length / 2, posts):
        bars.append(bar((x, 0, 0), (x, height, 0), 0.025, paint))
    if rng.random() < 0.6:
        bars.append(bar((-length / 2, 0.12, 0), (length / 2, 0.12, 0), 0.018, paint))
        places = np.arange(-length / 2, length / 2, rng.uniform(0.1, 0.14))
        upright = [((x, 0.12, 0), (x, height, 0)) for x in places]
        bars.append(rods(upright, 0.009, paint, sides=4))
    else:
        for y in np.linspace(0, height, int(rng.integers(3, 5)))[1:-1]:
            bars.append(bar((-length / 2, y, 0), (length / 2, y, 0), 0.02, paint))
    return join(*bars)


def bar(
    start: tuple[float, float, float],
    end: tuple[float, float, float],
    radius: float,
    paint: Finish,
    sides: int = 7,
) -> Mesh:
    return tube([start, end], radius, paint, sides=sides)


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
    paint = pick(rng, (*METALS, *_STONES, "#d5b12b"), 0.15)
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


_FRONT_SQUARE = ((-1, 1), (-1, -1), (1, -1), (1, 1))  # signs of y and z, seen from the +x end


def _moulded_barrier(rng: np.random.Generator) -> Mesh:
    """A barrier with a wide foot, as long as a car is wide."""
    concrete = rng.random() < 0.4
    paint = pick(rng, _STONES if concrete else ("#c0392b", "#e6e4dc", "#d9661f"), 0.15)
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


def post_box(rng: np.random.Generator) -> Mesh:
    """A letter box: a round pillar, or a box with a curved top on legs."""
    paint = pick(rng, ("#1d3f77", "#a51f22", "#d5b12b"), 0.25)
    if rng.random() < 0.4:
        profile = [(0.25, 0), (0.25, 0.12), (0.22, 0.14), (0.22, 1.3), (0.26, 1.34), (0.26, 1.42),
                   (0.15, 1.5), (0, 1.53)]  # fmt: skip
        dark = finish("#101011")
        bands = [1, 0, 0, 0, 0, 0, 0]
        slot = box((0.22, 0.04, 0.02), (0, 1.2, 0.215), dark)
        label = box((0.14, 0.2, 0.01), (0, 0.98, 0.215), finish("#e4e1d6"))
        return join(lathe(profile, [paint, dark], bands, sides=20), slot, label)
    width, depth, low, high = 0.52, 0.5, 0.22, 0.95
    arch = [(depth / 2 * a, high + depth / 2 * b) for a, b in circle(20)[:11]]
    outline = [*arch, (-depth / 2, low), (depth / 2, low)]  # (z, y)
    sections = [[(x, y, z) for z, y in outline[::-1]] for x in (-width / 2, width / 2)]
    body = loft(sections, paint, crease=30)
    legs = [
        box((0.05, low + 0.02, 0.05), (x * width / 2.3, low / 2, z * depth / 2.3), paint)
        for x in (-1, 1)
        for z in (-1, 1)
    ]
    flap = box((0.8 * width, 0.16, 0.03), (0, high + 0.02, depth / 2), paint.shaded(0.6))
    mark = box((0.7 * width, 0.18, 0.01), (0, 0.62, depth / 2), finish("#d8d6ce"))
    return join(body, *legs, flap, mark)


def low_wall(rng: np.random.Generator) -> Mesh:
    """A piece of a garden wall, of brick or of rendered concrete, with a coping."""
    size = rng.uniform((1.8, 0.55, 0.22), (2.8, 1.05, 0.36))
    stone = pick(rng, _STONES, 0.02)
    coping = box((size[0] + 0.04, 0.07, size[2] + 0.06), (0, size[1] - 0.035, 0), stone, 0.01)
    if rng.random() < 0.4:
        paint = pick(rng, (*_STONES, "#c9c4b6"), 0.02)
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


def cabinet(rng: np.random.Generator) -> Mesh:
    """A box of a telephone or power company, with doors and a plinth."""
    paint = pick(rng, ("#6e7a70", "#8a8d88", "#3f5247", "#b5ab97", "#5a5e60"), 0.1)
    size = rng.uniform((0.7, 0.9, 0.35), (1.3, 1.4, 0.5))
    x, y, z = size
    parts = [box((x, y - 0.12, z), (0, y / 2 + 0.06, 0), paint, 0.012)]
    parts.append(box((0.98 * x, 0.13, 0.95 * z), (0, 0.065, 0), CONCRETE.shaded(0.7)))
    parts.append(box((x + 0.04, 0.05, z + 0.04), (0, y - 0.02, 0), paint.shaded(0.85), 0.01))
    parts.append(box((0.012, 0.8 * y, 0.004), (0, 0.52 * y, z / 2), paint.shaded(0.3)))
    parts.append(box((0.03, 0.12, 0.03), (0.05, 0.55 * y, z / 2), BLACK_PLASTIC))
    if rng.random() < 0.5:
        sheet = poster(rng, 0.3, 0.42, pick(rng, (*PAINTS, "#f0efe8")))
        parts.append(moved(sheet, x=rng.uniform(-0.25, 0.1) * x, y=0.6 * y, z=z / 2 + 0.003))
    return join(*parts)


def hydrant(rng: np.random.Generator) -> Mesh:
    """A fire hydrant."""
    paint = pick(rng, ("#b02a22", "#d5b12b", "#8c8f92"), 0.25)
    profile = [(0.16, 0), (0.16, 0.05), (0.1, 0.06), (0.1, 0.5), (0.14, 0.51), (0.14, 0.55),
               (0.12, 0.57), (0.1, 0.66), (0.04, 0.72), (0.03, 0.78), (0, 0.78)]  # fmt: skip
    nozzles = [
        tube([(0, 0.42, 0), (0.17, 0.42, 0)], 0.045, paint, sides=8),
        tube([(0, 0.42, 0), (-0.17, 0.42, 0)], 0.045, paint, sides=8),
        tube([(0, 0.38, 0), (0, 0.38, 0.18)], 0.065, paint, sides=10),
    ]
    return join(lathe(profile, paint, sides=14), *nozzles)
