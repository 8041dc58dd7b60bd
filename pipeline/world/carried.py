"""Things that people carry: bags, suitcases, umbrellas, phones."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
from pipeline.world.solids import box, circle, loft, patch, plate, rods, tube
from pipeline.world.surfaces import PART, Mesh

_CLOTHS = ("#1f2124", "#23304a", "#4a4e52", "#6b2430", "#2f4a38", "#7a3d24", "#3a5f7d", "#8f8677",
           "#b5452a", "#5c3a5e")  # fmt: skip
_LEATHERS = ("#1d1b1a", "#5a3a26", "#8a5a34", "#7a1f26", "#b8a282", "#30343a", "#c9bfae")


class Carried(NamedTuple):
    """A thing that stands on y = 0 about the origin; its front faces +z."""

    mesh: Mesh
    grip: np.ndarray
    """(3,) float32 metres: where the hand holds it."""


def _carried(mesh: Mesh, grip: tuple[float, float, float], part: str) -> Carried:
    """Label the mesh `part` and move it, with its grip, onto the ground."""
    low, high = mesh.vertices.min(0).astype(float), mesh.vertices.max(0).astype(float)
    shift = (-(low[0] + high[0]) / 2, -low[1], -(low[2] + high[2]) / 2)
    parts = np.full(len(mesh.triangles), PART[part], np.uint8)
    grounded = replace(moved(mesh, *shift), parts=parts)
    return Carried(grounded, (np.array(grip) + np.array(shift)).astype(np.float32))


def suitcase(rng: np.random.Generator) -> Carried:
    """Make a suitcase on wheels, 0.57 to 0.77 m high, with an extended handle."""
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
    """Make a bag with two handles: leather, cloth or paper."""
    if rng.random() < 0.4:
        return _shopping_bag(rng)
    leather = pick(rng, _LEATHERS, 0.25)
    wide, high, deep = rng.uniform((0.26, 0.18, 0.09), (0.38, 0.28, 0.15))
    body = _soft_bag(wide, high, deep, 0.75, leather)
    handle = _arch(0.3 * wide, high - 0.02, rng.uniform(0.1, 0.16), 0.2 * deep, leather)
    clasp = box((0.05, 0.03, 0.02), (0, 0.72 * high, 0.4 * deep), CHROME)
    mesh = join(body, handle, mirrored(handle), clasp)
    return _carried(mesh, (0, float(mesh.vertices[:, 1].max()) - 0.01, 0), "bag")


def _soft_bag(wide: float, high: float, deep: float, top: float, paint: Finish) -> Mesh:
    """Make a bag that narrows upwards; `top` is the fraction of the depth at its upper edge."""
    profile = ((0, 0.94, 0.9), (0.06, 1, 1), (0.55, 1, 0.95), (0.95, 0.92, top),
               (1, 0.9, 0.6 * top))  # fmt: skip
    ring = np.sign(circle(12)) * np.abs(circle(12)) ** 0.5
    sections = []
    for level, across, along in profile:
        x, z = wide / 2 * across * ring[:, 0], deep / 2 * along * ring[:, 1]
        sections.append(np.column_stack([x, np.full(12, level * high), -z]))
    return loft(sections, paint, crease=65)


def _arch(half: float, low: float, rise: float, z: float, paint: Finish) -> Mesh:
    """Make an arched handle in the plane of x and y, at depth `z`."""
    path = [(half * math.cos(turn), low + rise * math.sin(turn), z)
            for turn in np.radians(np.linspace(0, 180, 7))]  # fmt: skip
    return tube(path, 0.009, paint, sides=5, capped=False)


def _shopping_bag(rng: np.random.Generator) -> Carried:
    paper = pick(rng, ("#a9825a", "#e4e1d6", "#1f2124", "#d8c9a8", *PAINTS), 0.1)
    wide, high, deep = rng.uniform((0.26, 0.3, 0.1), (0.38, 0.42, 0.16))
    body = box((wide, high, deep), (0, high / 2, 0), paper, 0.006)
    dark = box((0.92 * wide, 0.01, 0.8 * deep), (0, high, 0), paper.shaded(0.3))
    logo = plate(circle(10) * (0.25 * wide, 0.2 * high), 0.003, pick(rng, PAINTS))
    handle = _arch(0.22 * wide, high - 0.02, 0.13, 0.4 * deep, paper.shaded(0.6))
    mesh = join(body, dark, moved(logo, y=0.5 * high, z=deep / 2), handle, mirrored(handle))
    return _carried(mesh, (0, high + 0.1, 0), "carried")


def open_umbrella(rng: np.random.Generator) -> Carried:
    """Make an open umbrella, about a metre across; the grip is its handle."""
    cloth = pick(rng, ("#17181a", "#17181a", "#23304a", "#7a1f26", "#2f4a38", *PAINTS), 0.1)
    other = pick(rng, PAINTS, 0.1) if rng.random() < 0.25 else cloth
    radius, shaft = rng.uniform(0.46, 0.58), 0.78
    profile = [(1.0, shaft - 0.24), (0.8, shaft - 0.13), (0.45, shaft - 0.04), (0.02, shaft)]
    roof = canopy(radius, profile, [cloth, other], crease=20)
    ribs = [((0, shaft - 0.26, 0), (x, shaft - 0.06, z)) for x, z in 0.5 * radius * circle(8)]
    handle = pick(rng, ("#1c1c1d", "#5a3a26"), 0.3)
    pole = tube([(0, 0.08, 0), (0, shaft + 0.05, 0)], 0.006, STEEL, sides=5)
    crook = tube([(0.04, 0.02, 0), (0.03, 0, 0), (0, 0.02, 0), (0, 0.14, 0)], 0.013, handle)
    return _carried(join(roof, pole, rods(ribs, 0.003, STEEL), crook), (0, 0.08, 0), "carried")


def canopy(
    radius: float, profile: Sequence[tuple[float, float]], finishes: list[Finish], crease: float
) -> Mesh:
    """Make the eight panels of an umbrella or a parasol, in two alternating finishes.

    `profile` holds four pairs of fraction of `radius` and height, from the rim upwards.
    """
    ring = circle(8)[[*range(8), 0]]
    rows = [[(radius * part * a, y, -radius * part * b) for a, b in ring] for part, y in profile]
    return loft(rows, finishes, np.tile(np.arange(8) % 2, (3, 1)), open_ring=True, crease=crease)


def phone(rng: np.random.Generator) -> Carried:
    """Make a phone; its display faces +z and the grip is the middle of its back."""
    case = pick(rng, ("#17181a", "#17181a", "#c9cbcc", "#7a1f26", "#23304a", "#d8c9a8"), 0.3)
    body = box((0.075, 0.155, 0.01), (0, 0.0775, 0), case, 0.003)
    display = box((0.068, 0.145, 0.001), (0, 0.0775, 0.0055), GLASS.shaded(rng.uniform(0.5, 4.0)))
    return _carried(join(body, display), (0, 0.06, -0.005), "carried")


def parcel(rng: np.random.Generator) -> Carried:
    """Make a cardboard box for both arms; the grip is the middle of its lower rear edge."""
    card = pick(rng, ("#a9825a", "#b8946a", "#93704a", "#d8d2c2"), 0.02)
    wide, high, deep = rng.uniform((0.28, 0.18, 0.2), (0.45, 0.34, 0.34))
    strip = box((0.05, high + 0.003, deep + 0.003), (0, high / 2, 0), finish("#c9b48a", 0.3))
    label = patch((-0.3 * wide, 0.5 * high, deep / 2 + 0.002), (0.25 * wide, 0, 0),
                  (0, 0.3 * high, 0), finish("#e4e1d6"))  # fmt: skip
    whole = join(box((wide, high, deep), (0, high / 2, 0), card, 0.005), strip, label)
    return _carried(whole, (0, 0, -deep / 2), "carried")


def guitar_case(rng: np.random.Generator) -> Carried:
    """Make an upright guitar case, its wide end down; the grip is a handle at its side."""
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
    """Make a skateboard that stands on its tail, its deck towards +z."""
    paint = pick(rng, PAINTS, 0.2)
    right = np.array([(0.03, -0.38), (0.085, -0.32), (0.1, -0.2)])
    right = np.concatenate([right, right[::-1] * (1, -1)])
    outline = np.concatenate([right, right[::-1] * (-1, 1)])
    parts = [plate(outline, 0.012, WOOD), moved(plate(outline, 0.004, paint), z=-0.008)]
    parts.append(moved(plate(outline, 0.003, finish("#222326")), z=0.007))
    for y in (-0.22, 0.22):
        parts.append(tube([(-0.08, y, -0.05), (0.08, y, -0.05)], 0.008, STEEL, sides=5))
        for x in (-0.09, 0.06):
            axle = [(x, y, -0.05), (x + 0.03, y, -0.05)]
            parts.append(tube(axle, 0.027, finish("#d8d2c2"), sides=10))
    return _carried(join(*parts), (0.1, 0.38, 0), "carried")


def briefcase(rng: np.random.Generator) -> Carried:
    """Make a briefcase."""
    leather = pick(rng, (*_LEATHERS, "#1f2124"), 0.15)
    wide, high, deep = rng.uniform((0.36, 0.27, 0.06), (0.43, 0.32, 0.1))
    body = box((wide, high, deep), (0, high / 2, 0), leather, 0.02)
    flap = box((0.98 * wide, 0.45 * high, 0.012), (0, 0.76 * high, deep / 2), leather.shaded(0.85))
    handle = _arch(0.07, high - 0.005, 0.05, 0, leather.shaded(0.7))
    return _carried(join(body, flap, handle), (0, high + 0.04, 0), "bag")
