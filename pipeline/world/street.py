"""Litter bins, letter boxes, cabinets and hydrants."""

from __future__ import annotations

import math

import numpy as np

from pipeline.world import Rng
from pipeline.world.finishes import BLACK_PLASTIC, CONCRETE, PAINTS, finish, pick
from pipeline.world.furniture import poster
from pipeline.world.meshes import join, mirrored, moved, rotation, transformed
from pipeline.world.solids import box, circle, lathe, loft, tube
from pipeline.world.surfaces import Mesh
from pipeline.world.wheels import bin_wheel


def bin_(rng: Rng) -> Mesh:
    """Make a litter bin: a round one with slats, a dome with a hole, or a wheeled one."""
    return (_slatted_bin, _domed_bin, _wheeled_bin)[int(rng.integers(3))](rng)


def _slatted_bin(rng: Rng) -> Mesh:
    paint = pick(rng, ("#27502f", "#26282b", "#6b4a2f", "#45484a"), 0.1)
    height, radius = rng.uniform(0.75, 0.95), rng.uniform(0.24, 0.32)
    inner = lathe([(0.9 * radius, 0.03), (0.93 * radius, height - 0.03)], paint.shaded(0.25))
    rings = [
        lathe([(0, y), (radius, y), (radius, y + 0.05), (0, y + 0.05)], paint.shaded(0.7))
        for y in (0.0, height - 0.05)
    ]
    width = 0.75 * 2 * math.pi * radius / 18
    slat = box((width, height - 0.06, 0.02), (0, height / 2, radius), paint)
    slats = [transformed(slat, rotation(1, 20 * step)) for step in range(18)]
    profile = [(0, 0), (1.02 * radius, 0), (0.8 * radius, 0.06), (0, 0.08)]
    lid = lathe(np.add(profile, (0, height)), paint.shaded(0.6), sides=18)
    return join(inner, *rings, *slats, lid)


def _domed_bin(rng: Rng) -> Mesh:
    paint = pick(rng, PAINTS, 0.3)
    height, radius = rng.uniform(0.7, 0.85), rng.uniform(0.22, 0.29)
    profile = [(0.92, 0.0), (0.95, 0.04), (0.97, 0.9), (1.04, 0.9), (1.04, 0.98), (1.0, 1.0),
               (1.0, 1.22), (0.88, 1.36), (0.55, 1.46), (0, 1.5)]  # fmt: skip
    finishes, bands = [paint, paint.shaded(0.4)], [1, 0, 0, 1, 1, 0, 0, 0, 0]
    body = lathe(np.multiply(profile, (radius, height)), finishes, bands, sides=20)
    across = np.linspace(-0.62 * radius, 0.62 * radius, 6)
    depth = np.sqrt((1.01 * radius) ** 2 - across**2)  # on a cylinder about y
    hole = [[(x, y * height, z) for y in (1.2, 1.02)] for x, z in zip(across, depth, strict=True)]
    return join(body, loft(hole, finish("#0a0a0a"), open_ring=True))


def _wheeled_bin(rng: Rng) -> Mesh:
    paint = pick(rng, ("#2a2d2f", "#22462c", "#1e3b66", "#4a3a2a", "#6b6e70"), 0.15)
    width, depth, height = rng.uniform(0.48, 0.58), rng.uniform(0.5, 0.65), rng.uniform(0.92, 1.05)
    corners = ((-0.5, 0.5), (0.5, 0.5), (0.5, -0.5), (-0.5, -0.5))  # counter-clockwise from above
    sections = [
        [(a * part * width, y, shift + b * part * depth) for a, b in corners]
        for y, part, shift in ((0.06, 0.76, -0.03), (0.5 * height, 0.9, 0), (height, 1.0, 0.02))
    ]
    lid_paint = pick(rng, ("#2a2d2f", "#c9a227", "#1e4f8f", "#3b7a3e"), 0.2)
    lid = box((1.06 * width, 0.05, 1.08 * depth), (0, height + 0.02, 0.02), lid_paint, 0.02)
    rim = box((1.05 * width, 0.04, 1.05 * depth), (0, height - 0.04, 0.02), paint)
    wheel = moved(bin_wheel(0.1, 0.05), x=0.42 * width, y=0.1, z=-0.4 * depth)
    bar = (0.4 * width, height - 0.03, -0.53 * depth)
    handle = tube([(-bar[0], *bar[1:]), bar], 0.018, paint, sides=6)
    foot = box((0.7 * width, 0.08, 0.1), (0, 0.04, 0.3 * depth), paint)
    return join(loft(sections, paint), lid, rim, wheel, mirrored(wheel, 0), handle, foot)


def post_box(rng: Rng) -> Mesh:
    """Make a letter box: a round pillar, or a box with a curved top on legs."""
    paint = pick(rng, ("#1d3f77", "#a51f22", "#d5b12b"), 0.25)
    if rng.random() < 0.4:
        profile = [(0.25, 0), (0.25, 0.12), (0.22, 0.14), (0.22, 1.3), (0.26, 1.34), (0.26, 1.42),
                   (0.15, 1.5), (0, 1.53)]  # fmt: skip
        dark = finish("#101011")
        pillar = lathe(profile, [paint, dark], [1, 0, 0, 0, 0, 0, 0], sides=20)
        slot = box((0.22, 0.04, 0.02), (0, 1.2, 0.215), dark)
        return join(pillar, slot, box((0.14, 0.2, 0.01), (0, 0.98, 0.215), finish("#e4e1d6")))
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


def cabinet(rng: Rng) -> Mesh:
    """Make a telephone or power cabinet with doors and a plinth."""
    paint = pick(rng, ("#6e7a70", "#8a8d88", "#3f5247", "#b5ab97", "#5a5e60"), 0.1)
    size = rng.uniform((0.7, 0.9, 0.35), (1.3, 1.4, 0.5))
    x, y, z = size
    parts = [
        box((x, y - 0.12, z), (0, y / 2 + 0.06, 0), paint, 0.012),
        box((0.98 * x, 0.13, 0.95 * z), (0, 0.065, 0), CONCRETE.shaded(0.7)),
        box((x + 0.04, 0.05, z + 0.04), (0, y - 0.02, 0), paint.shaded(0.85), 0.01),
        box((0.012, 0.8 * y, 0.004), (0, 0.52 * y, z / 2), paint.shaded(0.3)),
        box((0.03, 0.12, 0.03), (0.05, 0.55 * y, z / 2), BLACK_PLASTIC),
    ]
    if rng.random() < 0.5:
        sheet = poster(rng, 0.3, 0.42, pick(rng, (*PAINTS, "#f0efe8")))
        parts.append(moved(sheet, x=rng.uniform(-0.25, 0.1) * x, y=0.6 * y, z=z / 2 + 0.003))
    return join(*parts)


def hydrant(rng: Rng) -> Mesh:
    paint = pick(rng, ("#b02a22", "#d5b12b", "#8c8f92"), 0.25)
    profile = [(0.16, 0), (0.16, 0.05), (0.1, 0.06), (0.1, 0.5), (0.14, 0.51), (0.14, 0.55),
               (0.12, 0.57), (0.1, 0.66), (0.04, 0.72), (0.03, 0.78), (0, 0.78)]  # fmt: skip
    nozzles = [
        tube([(0, 0.42, 0), (0.17, 0.42, 0)], 0.045, paint, sides=8),
        tube([(0, 0.42, 0), (-0.17, 0.42, 0)], 0.045, paint, sides=8),
        tube([(0, 0.38, 0), (0, 0.38, 0.18)], 0.065, paint, sides=10),
    ]
    return join(lathe(profile, paint, sides=14), *nozzles)
