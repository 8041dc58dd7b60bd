"""Printed sheets: posters, notices, menus."""

from __future__ import annotations

import numpy as np

from pipeline.world.finishes import PAINTS, Finish, finish, pick
from pipeline.world.meshes import join, moved, transformed
from pipeline.world.solids import circle, patch, plate
from pipeline.world.surfaces import Mesh

_PRINT = 0.002  # metres between the print and its sheet


def poster(rng: np.random.Generator, width: float, height: float, paper: Finish) -> Mesh:
    """Make a sheet about the origin that faces +z: text, and a picture or a coloured band."""
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
    """Make a rectangle just in front of a sheet."""
    return patch((left, low, _PRINT), (right - left, 0, 0), (0, high - low, 0), paint)


def _spot(rng: np.random.Generator, middle: float, half: float, paint: Finish) -> Mesh:
    """Make a shape in a picture, with 3 to 12 corners."""
    outline = circle(int(rng.integers(3, 13)), rng.uniform(0, 90))
    size = (rng.uniform(0.1, 0.35), rng.uniform(0.5, 0.95) * half)
    return moved(plate(outline * size, _PRINT, paint), rng.uniform(-0.15, 0.15), middle, _PRINT)
