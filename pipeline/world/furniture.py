"""Posters, sign boards, boxes, benches, tables, parasols, newspaper boxes, vending machines."""

from __future__ import annotations

import numpy as np

from pipeline.world import Rng
from pipeline.world.carried import canopy
from pipeline.world.finishes import (
    BLACK_PLASTIC,
    CONCRETE,
    GLASS,
    METALS,
    PAINTS,
    STEEL,
    Finish,
    finish,
    pick,
)
from pipeline.world.meshes import join, moved, rotation, transformed
from pipeline.world.solids import box, circle, lathe, patch, plate, rods, tube
from pipeline.world.surfaces import Mesh

_PRINT = 0.002  # metres between the print and its sheet


def poster(rng: Rng, width: float, height: float, paper: Finish) -> Mesh:
    """Make a sheet about the origin that faces +z: text, and a picture or a coloured band."""
    bright = sum(paper.colour) > 0.8
    ink = finish("#1f2226") if bright else finish("#ecebe4")
    sheet = [patch((-0.5, -0.5, 0), (1, 0, 0), (0, 1, 0), paper)]  # of 1 by 1 m until the end
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
    """Make a rectangle just in front of a sheet."""
    return patch((left, low, _PRINT), (right - left, 0, 0), (0, high - low, 0), paint)


def _spot(rng: Rng, middle: float, half: float, paint: Finish) -> Mesh:
    """Make a shape in a picture, with 3 to 12 corners."""
    outline = circle(int(rng.integers(3, 13)), rng.uniform(0, 90))
    size = (rng.uniform(0.1, 0.35), rng.uniform(0.5, 0.95) * half)
    return moved(plate(outline * size, _PRINT, paint), rng.uniform(-0.15, 0.15), middle, _PRINT)


def sign_board(rng: Rng) -> Mesh:
    """Make an A-shaped board on the pavement, or a panel on two legs."""
    panel, frame = pick(rng, (*PAINTS, "#f0efe8")), pick(rng, ("#2b2c2e", "#8d9092", "#6b4a2f"))
    width, height = rng.uniform(0.55, 0.85), rng.uniform(0.8, 1.15)
    face = join(
        box((width, height, 0.03), (0, height / 2, 0), frame, 0.006),
        moved(poster(rng, 0.88 * width, 0.88 * height, panel), y=height / 2, z=0.017),
    )
    if rng.random() < 0.5:
        leaning = transformed(face, rotation(0, -14), (0, 0, 0.14 * height + 0.12))
        return join(leaning, transformed(leaning, rotation(1, 180)))
    size, y = (0.05, height + 0.5, 0.05), height / 2 + 0.25
    legs = [box(size, (x, y, 0), frame) for x in (-width / 2, width / 2)]
    return join(moved(face, y=0.5), *legs)


def boxes(rng: Rng) -> Mesh:
    """Make one to four cardboard boxes, stacked or side by side."""
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


def _cardboard(rng: Rng, size: np.ndarray, card: Finish) -> Mesh:
    """Make a closed box on the ground, a little turned, with tape and a label."""
    x, y, z = size
    shade = card.shaded(rng.uniform(0.85, 1.1))
    tape = finish("#c9b48a", 0.3).shaded(rng.uniform(0.6, 1.0))
    at = (rng.uniform(-0.2, 0.2) * x, 0.6 * y, z / 2)
    label = box((0.25 * x, 0.3 * y, 0.004), at, finish("#e4e1d6"))
    strip = box((0.06, y + 0.004, z + 0.004), (0, y / 2, 0), tape)
    whole = join(box(size, (0, y / 2, 0), shade, 0.006), strip, label)
    return transformed(whole, rotation(1, rng.uniform(-12, 12)))


def crate(rng: Rng) -> Mesh:
    """Make a wooden crate, or a stack of plastic ones."""
    if rng.random() < 0.5:
        return _wooden_crate(rng)
    size = np.array([0.6, rng.uniform(0.2, 0.32), 0.4])
    parts = []
    for level in range(int(rng.integers(2, 5))):
        paint = pick(rng, ("#1e4f8f", "#2c6a3c", "#b02a22", "#3b3d40", "#8c8f92", "#d5b12b"), 0.2)
        y = level * size[1]
        parts.append(box(size * (1, 0.96, 1), (0, y + size[1] / 2, 0), paint, 0.012))
        for mark in (0.35, 0.6):
            slot = (0.86 * size[0], 0.06 * size[1], size[2] + 0.004)
            parts.append(box(slot, (0, y + mark * size[1], 0), paint.shaded(0.35)))
        parts.append(box(size * (1.03, 0.12, 1.04), (0, y + 0.9 * size[1], 0), paint, 0.006))
    return transformed(join(*parts), rotation(1, rng.uniform(-10, 10)))


def _wooden_crate(rng: Rng) -> Mesh:
    size = rng.uniform((0.7, 0.5, 0.5), (1.1, 0.9, 0.8))
    wood = pick(rng, ("#a98559", "#8f6d45", "#b79a70"), 0.03)
    x, y, z = size
    parts = [box(size - 0.03, (0, y / 2, 0), wood.shaded(0.45))]
    for board in range(5):
        shade = wood.shaded(rng.uniform(0.8, 1.15))
        parts.append(box((x, 0.86 * y / 5, z), (0, (board + 0.5) * y / 5, 0), shade, 0.004))
    for at in (0.06 - x / 2, x / 2 - 0.06):
        parts.append(box((0.08, y, z + 0.04), (at, y / 2, 0), wood.shaded(0.85)))
    return join(*parts)


def bench(rng: Rng) -> Mesh:
    """Make a park bench of slats, with or without a back."""
    wood = pick(rng, ("#7d5c3c", "#93704a", "#6a4a32", "#8a8478", "#2f4a38"), 0.1)
    metal = pick(rng, METALS, 0.2)
    length, back = rng.uniform(1.4, 1.9), rng.random() < 0.7
    parts = []
    for z in np.linspace(-0.18, 0.2, 4):
        parts.append(box((length, 0.03, 0.085), (0, 0.45, z), wood.shaded(rng.uniform(0.85, 1.1))))
    if back:
        for y in (0.6, 0.72, 0.84):
            parts.append(box((length, 0.09, 0.025), (0, y, -0.2 - 0.25 * (y - 0.45)), wood))
    for side in (-0.5, 0.5) if length < 1.65 else (-0.5, 0.0, 0.5):
        x = side * (length - 0.3)
        parts += [
            box((0.05, 0.44, 0.05), (x, 0.22, 0.17), metal),
            box((0.05, 0.44, 0.05), (x, 0.22, -0.19), metal),
            box((0.05, 0.04, 0.42), (x, 0.42, 0), metal),
        ]
        if back:
            parts.append(tube([(x, 0.42, -0.2), (x, 0.88, -0.33)], 0.025, metal, sides=5))
    return join(*parts)


def table(rng: Rng) -> Mesh:
    """Make a round café table with a chair or two."""
    top = pick(rng, ("#8a8f92", "#d9d6cc", "#7d5c3c", "#2a2c2f"), 0.25)
    metal = pick(rng, METALS, 0.25)
    radius = rng.uniform(0.32, 0.42)
    profile = [(0.7 * radius, 0), (0.68 * radius, 0.02), (0.03, 0.05), (0.03, 0.71),
               (radius, 0.715), (radius, 0.74), (0, 0.74)]  # fmt: skip
    parts = [lathe(profile, [metal, top], [0, 0, 0, 0, 1, 1], sides=20)]
    seat = pick(rng, ("#8a8f92", "#7d5c3c", "#2a2c2f", "#8d2f2a", "#c9c2ad"), 0.15)
    parts.append(moved(_chair(seat, metal), x=-radius - 0.28))
    if rng.random() < 0.6:
        parts.append(transformed(parts[-1], rotation(1, 180 + rng.uniform(-20, 20))))
    return join(*parts)


def _chair(seat: Finish, metal: Finish) -> Mesh:
    """Make a chair that faces +x."""
    back = box((0.025, 0.22, 0.4), (0, 0.33, 0), seat, 0.008)
    parts = [box((0.4, 0.03, 0.4), (0, 0.45, 0), seat, 0.01)]
    parts.append(transformed(back, rotation(2, 10), (-0.16, 0.42, 0)))
    for z in (-0.18, 0.18):
        parts.append(tube([(0.18, 0.44, z), (0.21, 0, z)], 0.011, metal, 5))
        parts.append(tube([(-0.22, 0, z), (-0.18, 0.45, z), (-0.26, 0.86, z)], 0.011, metal, 5))
    return join(*parts)


def parasol(rng: Rng) -> Mesh:
    """Make a parasol on a heavy foot."""
    cloth = pick(rng, ("#d9cfb8", "#a8323a", "#2f5d45", "#274472", "#e6e3da"), 0.03)
    stripe = finish("#e6e3da", 0.03) if rng.random() < 0.4 else cloth
    pole = pick(rng, ("#8a6b45", "#9a9d9e", "#2b2c2e"), 0.2)
    radius, low = rng.uniform(1.1, 1.5), rng.uniform(2.05, 2.2)
    profile = [(1.0, low - 0.14), (1.0, low), (0.5, low + 0.27), (0.02, low + 0.48)]
    roof = canopy(radius, profile, [cloth, stripe], crease=15)
    outline = [(0.26, 0), (0.26, 0.06), (0.05, 0.1), (0.04, 0.35), (0, 0.35)]
    foot = lathe(outline, CONCRETE, sides=14)
    shaft = tube([(0, 0, 0), (0, low + 0.5, 0)], 0.022, pole)
    ribs = [((0, low - 0.15, 0), (x, low + 0.23, z)) for x, z in 0.55 * radius * circle(8)]
    return join(roof, foot, shaft, rods(ribs, 0.007, pole))


def newspaper_box(rng: Rng) -> Mesh:
    """Make one newspaper box, or two side by side."""
    parts = [_newspaper_box(rng)]
    if rng.random() < 0.35:
        parts = [moved(parts[0], x=-0.25), moved(_newspaper_box(rng), x=0.25)]
    return join(*parts)


def _newspaper_box(rng: Rng) -> Mesh:
    paint = pick(rng, (*PAINTS, "#1f4f8f", "#b02a22"), 0.3)
    width, depth, low, height = 0.44, 0.4, 0.38, rng.uniform(1.0, 1.2)
    middle = (low + height) / 2
    body = box((width, height - low, depth), (0, middle, 0), paint, 0.02)
    window = box((0.75 * width, 0.42 * (height - low), 0.01), (0, middle + 0.1, depth / 2), GLASS)
    size = (0.66 * width, 0.3 * (height - low), 0.012)
    paper = box(size, (0, middle + 0.1, depth / 2 + 0.001), finish("#cfcabd", 0.4))
    handle = box((0.5 * width, 0.03, 0.03), (0, low + 0.12, depth / 2 + 0.01), STEEL)
    stand = box((0.12, low, 0.12), (0, low / 2, 0), paint.shaded(0.5))
    foot = box((width, 0.03, depth), (0, 0.015, 0), paint.shaded(0.5))
    slot = box((0.12, 0.16, 0.05), (0.12, height, 0.05), STEEL.shaded(0.5))
    return join(body, window, paper, handle, stand, foot, slot)


def vending(rng: Rng) -> Mesh:
    """Make a vending machine, about 1.8 m high."""
    paint = pick(rng, ("#b02a22", "#1f4f8f", "#1f2022", "#d9d8d2", "#2c6a3c"), 0.3)
    width, depth, height = rng.uniform(0.8, 1.0), rng.uniform(0.7, 0.85), rng.uniform(1.75, 1.9)
    front = depth / 2
    left, low = -0.44 * width, 0.42  # of the pane
    parts = [
        box((width, height - 0.05, depth), (0, height / 2 + 0.025, 0), paint, 0.015),
        box((0.94 * width, 0.06, 0.9 * depth), (0, 0.03, 0), BLACK_PLASTIC),
        box((0.66 * width, 1.2, 0.01), (left + 0.33 * width, 1.02, front), GLASS),
    ]
    for row in range(5):
        for column in range(5):
            x = left + (0.08 + 0.125 * column) * width
            size = (0.09 * width, rng.uniform(0.1, 0.16), 0.012)
            y = low + 0.08 + 0.235 * row + size[1] / 2
            parts.append(box(size, (x, y, front), pick(rng, PAINTS, 0.3, spread=0.4)))
    slot = box((0.16 * width, 0.5, 0.02), (0.37 * width, 1.15, front), BLACK_PLASTIC)
    flap = box((0.6 * width, 0.16, 0.012), (-0.1 * width, 0.26, front), BLACK_PLASTIC)
    return join(*parts, slot, flap)
