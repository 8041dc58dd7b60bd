"""Trousers, skirts and shoes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.world.body import AHEAD, DOWN, LEFT, SIDES, Skin
from pipeline.world.clothes import Piece, Shoes, Skirt, Trousers, tube_piece
from pipeline.world.patterns import Leather
from pipeline.world.trims import LEG
from pipeline.world.tubes import (
    UPRIGHT,
    Frame,
    Rings,
    Slices,
    Tailor,
    limit_taper,
    rings,
    smoothed,
    smoothstep,
)  # fmt: skip
from pipeline.world.uppers import TRUNK_COLUMNS, TRUNK_STEP, draped, trunk_skin

_LEG_COLUMNS, _LEG_STEP, _SHOE_COLUMNS = 16, 0.032, 10
_SOLE = 0.025  # metres
_SHOE_PARTS = np.array([0, 0.04, 0.12, 0.25, 0.4, 0.55, 0.7, 0.82, 0.92, 0.975, 1.0])
"""Positions of a shoe's rings: 0 at the heel, 1 at the toes."""

_SKIRT_EASE, _SKIRT_TAPER = 0.012, 0.02  # see `UpperGarment`
_LEATHER = 0.009  # metres between the foot and the outside of a shoe
_FOOT = Frame(np.zeros(3), AHEAD, -DOWN, LEFT)


def lower_pieces(tailor: Tailor, garment: Trousers | Skirt) -> list[Piece]:
    """Make two legs or one skirt."""
    if isinstance(garment, Skirt):
        return [_skirt(tailor, garment)]
    return [_trouser_leg(tailor, garment, side) for side in SIDES]


def _trouser_leg(tailor: Tailor, garment: Trousers, side: str) -> Piece:
    """Make a leg with its half of the hips."""
    at = tailor.heights
    waist, hem = at.waist - 0.02, at.trouser_hem(garment.length)
    stations = np.linspace(waist, hem, max(8, round((waist - hem) / _LEG_STEP)))
    outline = rings(tailor.halves[side], stations, _LEG_COLUMNS)
    steps = np.abs(np.diff(stations, prepend=stations[0]))
    ease = garment.ease * (0.4 + 0.6 * smoothstep(stations, at.hip + 0.05, at.crotch - 0.1))
    radii = smoothed(outline.radii) + ease[:, None]
    below = stations <= at.crotch
    radii[below] = limit_taper(radii[below], steps[below], garment.taper)
    vertices = Rings(stations, smoothed(smoothed(outline.middles)), radii).points(UPRIGHT)
    crumpled = 0.5 + 0.7 * smoothstep(np.abs(stations - at.knee), 0.16, 0.03)
    crumpled = crumpled + 0.9 * smoothstep(stations, at.ankle + 0.16, at.ankle + 0.02)
    return tube_piece(
        "bottom",
        vertices,
        _leg_skin(tailor, side, np.repeat(stations, _LEG_COLUMNS + 1)),
        garment.fabric,
        garment.folds * crumpled[:, None],
        1.0,
        zone=LEG,
    )


def _leg_skin(tailor: Tailor, side: str, y: np.ndarray) -> Skin:
    at = tailor.heights
    spine = smoothstep(y, at.waist - 0.1, at.waist)
    thigh = smoothstep(y, at.hip + 0.05, at.hip - 0.09)
    calf = smoothstep(y, at.knee + 0.05, at.knee - 0.05)
    return tailor.skin(
        {
            "spine_01": 0.7 * spine,
            "pelvis": (1 - 0.7 * spine) * (1 - thigh),
            f"thigh_{side}": thigh * (1 - calf),
            f"calf_{side}": calf,
        }
    )


def _skirt(tailor: Tailor, skirt: Skirt) -> Piece:
    """Make a tube from the waist down."""
    at = tailor.heights
    hem = at.hem(skirt.hem)
    stations = np.linspace(hem, at.waist - 0.01, max(6, round((at.waist - hem) / TRUNK_STEP)))
    outline = rings(tailor.trunk, stations, TRUNK_COLUMNS)
    hung = draped(outline, at.waist - 0.02, at.waist, _SKIRT_EASE, _SKIRT_TAPER, skirt.flare)
    vertices = hung.points(UPRIGHT)
    loose = smoothstep(stations, at.waist, at.crotch)
    skin = trunk_skin(tailor, vertices.reshape(-1, 3))
    folds = skirt.folds * loose[:, None]
    return tube_piece(
        "bottom", vertices, skin, skirt.fabric, folds, 1.0, outward=True, two_sided=True
    )


def shoe_pieces(tailor: Tailor, shoes: Shoes, shaft: bool) -> list[Piece]:
    """Make a pair of shoes; `shaft` adds the shafts of boots."""
    pieces = []
    for side in SIDES:
        pieces.append(_shoe(tailor, shoes, side))
        if shaft and shoes.shaft > 0:
            pieces.append(_shaft(tailor, shoes, side))
    return pieces


def _foot(tailor: Tailor, side: str) -> Slices:
    """Return the cross-sections of a foot along z, from the heel."""
    own = tailor.shape.vertices[:, 0] * SIDES[side] > 0
    low = tailor.shape.vertices[:, 1] < tailor.heights.ankle + 0.03
    return tailor.slices(own & low, _FOOT)


def _shoe(tailor: Tailor, shoes: Shoes, side: str) -> Piece:
    slices = _foot(tailor, side)
    ends = 0.012
    length = slices.high - slices.low + 2 * ends
    stations = slices.low - ends + _SHOE_PARTS * length
    outline = rings(slices, stations, _SHOE_COLUMNS)
    rounded = _rounded(8 * _SHOE_PARTS) * _rounded(7 * (1 - _SHOE_PARTS))
    radii = (smoothed(outline.radii) + _LEATHER) * rounded[:, None]
    vertices = Rings(stations, smoothed(outline.middles), radii).points(_FOOT)
    vertices[..., 1] = np.maximum(vertices[..., 1] - _SOLE * (vertices[..., 1] < 0.02), -_SOLE)
    ball = float(tailor.joint(f"ball_{side}")[2])
    toes = smoothstep(np.repeat(stations, _SHOE_COLUMNS + 1), ball - 0.02, ball + 0.02)
    skin = tailor.skin({f"foot_{side}": 1 - toes, f"ball_{side}": toes})
    leather = Leather(shoes.fabric, shoes.sole, _SOLE)
    piece = tube_piece("shoes", vertices, skin, leather, folds=0.0, cut=1.0)
    uvw = piece.uvw.copy()
    uvw[:, 2] = piece.vertices[:, 1] + _SOLE  # height above the ground
    return replace(piece, uvw=uvw)


def _rounded(distance: np.ndarray) -> np.ndarray:
    """Return a quarter circle: near 0 at `distance` 0, 1 from 1 on."""
    return np.sqrt(np.clip(1 - np.maximum(1 - distance, 0) ** 2, 0.02, 1))


def _shaft(tailor: Tailor, shoes: Shoes, side: str) -> Piece:
    at = tailor.heights
    stations = np.linspace(at.ankle + shoes.shaft, at.ankle - 0.03, 5)
    outline = rings(tailor.halves[side], stations, _SHOE_COLUMNS)
    vertices = outline._replace(radii=outline.radii + 0.012).points(UPRIGHT)
    y = np.repeat(stations, _SHOE_COLUMNS + 1)
    calf = smoothstep(y, at.ankle - 0.02, at.ankle + 0.03)
    skin = tailor.skin({f"calf_{side}": calf, f"foot_{side}": 1 - calf})
    return tube_piece("shoes", vertices, skin, shoes.fabric, folds=0.002, cut=1.0)
