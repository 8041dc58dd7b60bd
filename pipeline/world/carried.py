"""Bags, suitcases, umbrellas and the like as things by themselves: put down, or in a hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pipeline.world.finishes import (
    BLACK_PLASTIC,
    CHROME,
    GLASS,
    PAINTS,
    RUBBER,
    STEEL,
    WOOD,
    Finish,
    finish,
    pick,
)
from pipeline.world.meshes import join, mirrored, moved, rotation, transformed
from pipeline.world.solids import box, circle, ellipsoid, loft, patch, plate, rods, tube
from pipeline.world.surfaces import PART, Mesh

_CLOTHS = ("#1f2124", "#23304a", "#4a4e52", "#6b2430", "#2f4a38", "#7a3d24", "#3a5f7d", "#8f8677",
           "#b5452a", "#5c3a5e")  # fmt: skip
_LEATHERS = ("#1d1b1a", "#5a3a26", "#8a5a34", "#7a1f26", "#b8a282", "#30343a", "#c9bfae")


class Carried(NamedTuple):
    """A thing that stands on y = 0 about the origin, its front (the side shown) towards +z."""

    mesh: Mesh
    grip: np.ndarray
    """(3,) float32 metres: where a hand, or the back that wears it, touches it."""


def _carried(mesh: Mesh, grip: tuple[float, float, float], part: str) -> Carried:
    """The mesh with the label `part`, moved together with its grip onto the ground."""
    low, high = mesh.vertices.min(0).astype(float), mesh.vertices.max(0).astype(float)
    shift = (-(low[0] + high[0]) / 2, -low[1], -(low[2] + high[2]) / 2)
    parts = np.full(len(mesh.triangles), PART[part], np.uint8)
    grounded = replace(moved(mesh, *shift), parts=parts)
    return Carried(grounded, (np.array(grip) + np.array(shift)).astype(np.float32))


def suitcase(rng: np.random.Generator) -> Carried:
    """A case on wheels with its handle drawn out, 0.55 to 0.75 m without it."""
    size = rng.uniform((0.36, 0.52, 0.22), (0.48, 0.72, 0.3))
    shell = rng.random() < 0.5
    paint = pick(rng, PAINTS if shell else _CLOTHS, 0.3 if shell else 0.03)
    x, y, z = size
    low, top = 0.05, 0.05 + y
    parts = [box(size, (0, low + y / 2, 0), paint, 0.04)]
    if shell:
        for at in np.linspace(-0.35, 0.35, 5):
            groove = (0.018, 0.86 * y, z + 0.006)
            parts.append(box(groove, (at * x, low + y / 2, 0), paint.shaded(0.75)))
    else:
        pocket = (0.8 * x, 0.5 * y, 0.05)
        parts.append(box(pocket, (0, low + 0.32 * y, z / 2), paint.shaded(0.85), 0.02))
        parts.append(box((x + 0.004, y + 0.004, 0.012), (0, low + y / 2, 0.02), STEEL.shaded(0.4)))
    reach = top + rng.uniform(0.3, 0.42)
    path = [(-0.09, top - 0.02, -z / 3), (-0.09, reach, -z / 3), (0.09, reach, -z / 3),
            (0.09, top - 0.02, -z / 3)]  # fmt: skip
    parts.append(tube(path, 0.009, STEEL, sides=5))
    parts.append(box((0.2, 0.03, 0.03), (0, reach, -z / 3), BLACK_PLASTIC, 0.008))
    for side in (-1, 1):
        for depth in (-1, 1):
            at = (side * 0.38 * x, 0.03, depth * 0.3 * z)
            parts.append(tube([(at[0] - 0.015, *at[1:]), (at[0] + 0.015, *at[1:])], 0.03, RUBBER))
            parts.append(box((0.04, 0.04, 0.04), (at[0], 0.06, at[2]), BLACK_PLASTIC))
    return _carried(join(*parts), (0, reach, -z / 3), "carried")


def hand_bag(rng: np.random.Generator) -> Carried:
    """A bag with two handles: of leather, or a shopping bag of cloth or paper."""
    if rng.random() < 0.4:
        return _shopping_bag(rng)
    leather = pick(rng, _LEATHERS, 0.25)
    wide, high, deep = rng.uniform((0.26, 0.18, 0.09), (0.38, 0.28, 0.15))
    body = _soft_bag(wide, high, deep, 0.75, leather)
    handles = [_arch(0.3 * wide, high - 0.02, rng.uniform(0.1, 0.16), 0.2 * deep, leather)]
    handles.append(mirrored(handles[0]))
    clasp = box((0.05, 0.03, 0.02), (0, 0.72 * high, 0.4 * deep), CHROME)
    mesh = join(body, *handles, clasp)
    return _carried(mesh, (0, float(mesh.vertices[:, 1].max()) - 0.01, 0), "bag")


def _soft_bag(wide: float, high: float, deep: float, top: float, paint: Finish) -> Mesh:
    """A bag that is narrower at its upper edge; `top` is the fraction of the depth there."""
    sections = []
    for part, across, along in ((0, 0.94, 0.9), (0.06, 1, 1), (0.55, 1, 0.95), (0.95, 0.92, top),
                                (1, 0.9, 0.6 * top)):  # fmt: skip
        ring = np.sign(circle(12)) * np.abs(circle(12)) ** 0.5
        x, z = wide / 2 * across * ring[:, 0], deep / 2 * along * ring[:, 1]
        sections.append(np.column_stack([x, np.full(12, part * high), -z]))
    return loft(sections, paint, crease=65)


def _arch(half: float, low: float, rise: float, z: float, paint: Finish) -> Mesh:
    """A handle in the plane of x and y."""
    path = [(half * math.cos(turn), low + rise * math.sin(turn), z)
            for turn in np.radians(np.linspace(0, 180, 7))]  # fmt: skip
    return tube(path, 0.009, paint, sides=5, capped=False)


def _shopping_bag(rng: np.random.Generator) -> Carried:
    paper = pick(rng, ("#a9825a", "#e4e1d6", "#1f2124", "#d8c9a8", *PAINTS), 0.1)
    wide, high, deep = rng.uniform((0.26, 0.3, 0.1), (0.38, 0.42, 0.16))
    body = box((wide, high, deep), (0, high / 2, 0), paper, 0.006)
    dark = box((0.92 * wide, 0.01, 0.8 * deep), (0, high, 0), paper.shaded(0.3))
    logo = plate(
        [(0.25 * wide * a, 0.2 * high * b) for a, b in circle(10)], 0.003, pick(rng, PAINTS)
    )
    handles = [_arch(0.22 * wide, high - 0.02, 0.13, 0.4 * deep, paper.shaded(0.6))]
    handles.append(mirrored(handles[0]))
    mesh = join(body, dark, moved(logo, y=0.5 * high, z=deep / 2), *handles)
    return _carried(mesh, (0, high + 0.1, 0), "carried")


def backpack(rng: np.random.Generator) -> Carried:
    """A day pack of 15 to 25 litres. Its grip is the middle of the side that lies on the back."""
    cloth = pick(rng, _CLOTHS, 0.04)
    wide, high, deep = rng.uniform((0.28, 0.4, 0.14), (0.33, 0.48, 0.2))
    other = pick(rng, _CLOTHS, 0.04) if rng.random() < 0.3 else cloth.shaded(0.8)
    parts = [_pack(wide, high, deep, cloth)]
    pocket = _pack(0.8 * wide, 0.45 * high, 0.35 * deep, other)
    parts.append(moved(pocket, y=0.06 * high, z=0.5 * deep))
    parts.append(box((0.5 * wide, 0.012, 0.01), (0, 0.42 * high, 0.68 * deep), STEEL.shaded(0.4)))
    parts += _straps(wide, high, deep, cloth.shaded(0.6))
    parts.append(_arch(0.04, 0.98 * high, 0.04, -0.3 * deep, cloth.shaded(0.6)))
    return _carried(join(*parts), (0, 0.6 * high, -0.5 * deep), "bag")


def _pack(wide: float, high: float, deep: float, cloth: Finish) -> Mesh:
    """A rounded bag that stands on y = 0 and is flat at its back."""
    radii = (wide / 2, high / 2, deep / 2)
    return ellipsoid(radii, (0, high / 2, 0), cloth, 9, 14, squareness=0.6)


def _straps(wide: float, high: float, deep: float, cloth: Finish) -> list[Mesh]:
    """Shoulder straps that hang at the back of a pack that nobody wears."""
    x, back = 0.27 * wide, -0.46 * deep
    path = [(x, 0.92 * high, back), (1.1 * x, 0.75 * high, back - 0.05),
            (1.25 * x, 0.4 * high, back - 0.05), (1.4 * x, 0.12 * high, back)]  # fmt: skip
    strap = tube(path, 0.02, cloth, sides=5)
    return [strap, mirrored(strap, 0)]


def rucksack(rng: np.random.Generator) -> Carried:
    """A large pack for hiking, with a lid, a mat and side pockets."""
    cloth = pick(rng, _CLOTHS, 0.04)
    other = pick(rng, _CLOTHS, 0.04)
    wide, high, deep = rng.uniform((0.32, 0.6, 0.22), (0.38, 0.75, 0.28))
    parts = [_pack(wide, 0.9 * high, deep, cloth)]
    parts.append(ellipsoid((0.48 * wide, 0.1 * high, 0.52 * deep), (0, 0.9 * high, 0), other, 6, 12,
                           squareness=0.5))  # fmt: skip
    side = _pack(0.3 * wide, 0.4 * high, 0.6 * deep, other)
    parts += [moved(side, x=sign * 0.5 * wide, y=0.08 * high) for sign in (-1, 1)]
    if rng.random() < 0.5:
        level = (1.04 if rng.random() < 0.5 else 0.03) * high
        roll = tube([(-0.28, level, 0.1), (0.28, level, 0.1)], 0.07, pick(rng, PAINTS), sides=10)
        parts.append(roll)
    for x in (-0.25, 0.25):
        parts.append(
            box((0.025, 0.8 * high, 0.01), (x * wide, 0.45 * high, deep / 2), BLACK_PLASTIC)
        )
    parts += _straps(wide, 0.9 * high, deep, BLACK_PLASTIC)
    return _carried(join(*parts), (0, 0.55 * high, -0.5 * deep), "bag")


def open_umbrella(rng: np.random.Generator) -> Carried:
    """An umbrella against rain, its canopy about a metre across; the grip is its handle."""
    cloth = pick(rng, ("#17181a", "#17181a", "#23304a", "#7a1f26", "#2f4a38", *PAINTS), 0.1)
    other = pick(rng, PAINTS, 0.1) if rng.random() < 0.25 else cloth
    radius, shaft, ring = rng.uniform(0.46, 0.58), 0.78, circle(8)
    rows = []
    for part, drop in ((1.0, 0.24), (0.8, 0.13), (0.45, 0.04), (0.02, 0.0)):
        rows.append(
            [(radius * part * a, shaft - drop, -radius * part * b) for a, b in [*ring, ring[0]]]
        )
    which = np.tile(np.arange(8) % 2, (3, 1))
    canopy = loft(rows, [cloth, other], which, open_ring=True, crease=20)
    ribs = [((0, shaft - 0.26, 0), (x, shaft - 0.06, z)) for x, z in 0.5 * radius * ring]
    handle = pick(rng, ("#1c1c1d", "#5a3a26"), 0.3)
    parts = [
        tube([(0, 0.08, 0), (0, shaft + 0.05, 0)], 0.006, STEEL, sides=5),
        rods(ribs, 0.003, STEEL),
    ]
    parts.append(tube([(0.04, 0.02, 0), (0.03, 0, 0), (0, 0.02, 0), (0, 0.14, 0)], 0.013, handle))
    return _carried(join(canopy, *parts), (0, 0.08, 0), "carried")


def umbrella(rng: np.random.Generator) -> Carried:
    """A closed umbrella, its point down; it is held at the handle."""
    cloth = pick(rng, ("#17181a", "#23304a", "#7a1f26", "#2f4a38"), 0.1)
    long = rng.uniform(0.75, 0.9)
    profile = [(0, 0.004), (0.1, 0.004), (0.12, 0.022), (0.6, 0.03), (0.72, 0.018), (0.75, 0.006)]
    body = tube([(0, long * y, 0) for y, _ in profile], [radius for _, radius in profile], cloth)
    hook = [(0, 0.74, 0), (0, 0.94, 0), (0.02, 0.985, 0), (0.06, 0.99, 0), (0.075, 0.95, 0)]
    path = [(x, long * y, z) for x, y, z in hook]
    handle = tube(path, 0.011, pick(rng, ("#5a3a26", "#1c1c1d"), 0.3), sides=6)
    return _carried(join(body, handle), (0, 0.9 * long, 0), "carried")


def phone(rng: np.random.Generator) -> Carried:
    """A telephone, its display towards +z; the grip is the middle of its back."""
    case = pick(rng, ("#17181a", "#17181a", "#c9cbcc", "#7a1f26", "#23304a", "#d8c9a8"), 0.3)
    size = (0.075, 0.155, 0.01)
    display = box((0.068, 0.145, 0.001), (0, 0.0775, 0.0055), GLASS.shaded(rng.uniform(0.5, 4.0)))
    return _carried(
        join(box(size, (0, 0.0775, 0), case, 0.003), display), (0, 0.06, -0.005), "carried"
    )


def parcel(rng: np.random.Generator) -> Carried:
    """A box that is carried in both arms; the grip is the middle of its lower edge at the back."""
    card = pick(rng, ("#a9825a", "#b8946a", "#93704a", "#d8d2c2"), 0.02)
    wide, high, deep = rng.uniform((0.28, 0.18, 0.2), (0.45, 0.34, 0.34))
    strip = box((0.05, high + 0.003, deep + 0.003), (0, high / 2, 0), finish("#c9b48a", 0.3))
    label = patch((-0.3 * wide, 0.5 * high, deep / 2 + 0.002), (0.25 * wide, 0, 0),
                  (0, 0.3 * high, 0), finish("#e4e1d6"))  # fmt: skip
    whole = join(box((wide, high, deep), (0, high / 2, 0), card, 0.005), strip, label)
    return _carried(whole, (0, 0, -deep / 2), "carried")


def guitar_case(rng: np.random.Generator) -> Carried:
    """A case for a guitar, upright, its wide end down; the grip is a handle at its side."""
    cloth = pick(rng, ("#1a1b1d", "#1a1b1d", "#4a3020", "#23304a"), 0.1)
    half = [(0.0, 0.0), (0.14, 0.01), (0.2, 0.08), (0.2, 0.2), (0.15, 0.32), (0.145, 0.37),
            (0.155, 0.46), (0.12, 0.54), (0.06, 0.6), (0.055, 0.92), (0.08, 0.96), (0.075, 1.05),
            (0.0, 1.06)]  # fmt: skip
    right = np.array(half)
    left = right[-2:0:-1] * (-1, 1)
    case = plate(np.concatenate([right, left]), 0.13, cloth, bevel=0.015)
    handle = transformed(_arch(0.06, 0, 0.04, 0, BLACK_PLASTIC), rotation(2, -90), (0.15, 0.35, 0))
    return _carried(join(case, handle), (0.19, 0.35, 0), "carried")


def skateboard(rng: np.random.Generator) -> Carried:
    """A skateboard that stands on its tail, its deck towards +z, as under an arm or at a wall."""
    paint = pick(rng, PAINTS, 0.2)
    right = np.array([(0.03, -0.38), (0.085, -0.32), (0.1, -0.2)])
    right = np.concatenate([right, right[::-1] * (1, -1)])
    outline = np.concatenate([right, right[::-1] * (-1, 1)])
    parts = [plate(outline, 0.012, WOOD), moved(plate(outline, 0.004, paint), z=-0.008)]
    parts.append(moved(plate(outline, 0.003, finish("#222326")), z=0.007))
    for y in (-0.22, 0.22):
        parts.append(tube([(-0.08, y, -0.05), (0.08, y, -0.05)], 0.008, STEEL, sides=5))
        for x in (-0.09, 0.06):
            wheel = tube([(x, y, -0.05), (x + 0.03, y, -0.05)], 0.027, finish("#d8d2c2"), sides=10)
            parts.append(wheel)
    return _carried(join(*parts), (0.1, 0.38, 0), "carried")


def briefcase(rng: np.random.Generator) -> Carried:
    """A case for papers or a portable computer."""
    leather = pick(rng, (*_LEATHERS, "#1f2124"), 0.15)
    wide, high, deep = rng.uniform((0.36, 0.27, 0.06), (0.43, 0.32, 0.1))
    body = box((wide, high, deep), (0, high / 2, 0), leather, 0.02)
    flap = box((0.98 * wide, 0.45 * high, 0.012), (0, 0.76 * high, deep / 2), leather.shaded(0.85))
    handle = _arch(0.07, high - 0.005, 0.05, 0, leather.shaded(0.7))
    return _carried(join(body, flap, handle), (0, high + 0.04, 0), "bag")


CARRIED: dict[str, Callable[[np.random.Generator], Carried]] = {
    "suitcase": suitcase,
    "hand_bag": hand_bag,
    "backpack": backpack,
    "rucksack": rucksack,
    "briefcase": briefcase,
    "open_umbrella": open_umbrella,
    "umbrella": umbrella,
    "phone": phone,
    "parcel": parcel,
    "guitar_case": guitar_case,
    "skateboard": skateboard,
}
"""What makes each kind of thing that is carried; colour, size and style are the generator's."""
