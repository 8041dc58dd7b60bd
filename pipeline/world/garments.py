"""Garments and shoes as tubes around trunk, arms, legs and feet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.world.body import AHEAD, DOWN, LEFT, SIDES, Skin
from pipeline.world.clothes import Piece, Shoes, Skirt, Trousers, UpperGarment, tube_piece
from pipeline.world.fabrics import LEG, SLEEVE
from pipeline.world.materials import Leather
from pipeline.world.tubes import (
    UPRIGHT,
    Frame,
    Heights,
    Rings,
    Slices,
    Tailor,
    limit_taper,
    rings,
    smoothed,
    smoothstep,
)

_TRUNK_COLUMNS = 30
_TRUNK_STEP = 0.032  # metres between rings
_ARM_COLUMNS, _ARM_STEP, _SHOULDER_STEP = 12, 0.032, 0.014
_CAP, _DELTOID = 0.065, 0.035  # metres: a sleeve is round above the shoulder's joint
_LAYER = 0.01  # metres between two garments
_CUFF = 0.03  # metres: length over which a sleeve narrows at its end
_LEG_COLUMNS, _LEG_STEP, _SHOE_COLUMNS = 16, 0.032, 10
_SOLE = 0.025  # metres
_SHOE_PARTS = np.array([0, 0.04, 0.12, 0.25, 0.4, 0.55, 0.7, 0.82, 0.92, 0.975, 1.0])
"""Positions of a shoe's rings: 0 at the heel, 1 at the toes."""

_SKIRT_EASE, _SKIRT_TAPER = 0.012, 0.02  # see `UpperGarment`
_LEATHER = 0.009  # metres between the foot and the outside of a shoe
_FOOT = Frame(np.zeros(3), AHEAD, -DOWN, LEFT)


def upper_pieces(
    tailor: Tailor, garment: UpperGarment, name: str, under: np.ndarray | None = None
) -> list[Piece]:
    """Make the trunk and the sleeves of a garment; `name` is "top" or "outer".

    `under` (R, C, 3) are the trunk rings of the garment below; the trunk stays outside it.
    """
    pieces = [_trunk(tailor, garment, name, under)]
    if garment.sleeve > 0:
        pieces += [_sleeve(tailor, garment, name, side) for side in SIDES]
    return pieces


def trunk_rings(piece: Piece) -> np.ndarray:
    """Return the rings (R, C, 3) of a trunk, the first piece of `upper_pieces`."""
    return piece.vertices.reshape(-1, _TRUNK_COLUMNS + 1, 3)


def _trunk(tailor: Tailor, garment: UpperGarment, name: str, under: np.ndarray | None) -> Piece:
    at = tailor.heights
    outline = rings(tailor.trunk, _trunk_stations(at, garment), _TRUNK_COLUMNS)
    outline = _draped(outline, at.chest, at.waist, garment.ease, garment.taper, garment.flare)
    outline = _around_neck(outline, garment, at.neck, at.shoulder)
    if under is not None:
        outline = _outside(outline, under)
    vertices = outline.points(UPRIGHT)
    if garment.quilts:
        vertices = _quilted(vertices, garment.quilts)
    loose = 0.35 + 0.65 * smoothstep(outline.stations, at.chest + 0.05, at.waist)
    return tube_piece(
        name,
        vertices,
        trunk_skin(tailor, vertices.reshape(-1, 3)),
        garment.fabric,
        garment.folds * loose[:, None],
        1.0 if garment.collar else neckline(vertices, garment, at.neck) - vertices[..., 1],
        outward=True,
        two_sided=garment.opens or garment.hem > 0.3,
    )


def _trunk_stations(at: Heights, garment: UpperGarment) -> np.ndarray:
    """Return the heights of the rings from hem to collar, denser at the shoulders."""
    hem, bend, top = at.hem(garment.hem), at.shoulder - 0.04, at.neck + max(garment.collar, 0.02)
    below = np.linspace(hem, bend, max(4, round((bend - hem) / _TRUNK_STEP)), endpoint=False)
    above = np.linspace(bend, top, max(4, round((top - bend) / _SHOULDER_STEP)))
    return np.concatenate([below, above])


def _draped(
    outline: Rings, chest: float, waist: float, ease: float, taper: float, flare: float
) -> Rings:
    """Drape cloth over `outline`: it falls from height `chest` and flares below `waist`."""
    radii = smoothed(outline.radii) + ease
    hangs = outline.stations <= chest
    down = outline.stations[hangs][::-1]
    steps = np.abs(np.diff(down, prepend=down[:1]))
    radii[hangs] = limit_taper(radii[hangs][::-1], steps, taper)[::-1]
    radii = radii + flare * np.maximum(waist - outline.stations, 0)[:, None]
    return Rings(outline.stations, smoothed(smoothed(outline.middles)), radii)


def _outside(outline: Rings, under: np.ndarray) -> Rings:
    """Widen `outline` to at least `_LAYER` outside the rings of the garment below."""
    heights = under[:, 0, 1]
    middles = (under.min(1) + under.max(1)) / 2
    ahead, aside = under[..., 2] - middles[:, 2:], under[..., 0] - middles[:, :1]
    radii = np.sqrt(ahead * ahead + aside * aside)
    at = outline.stations
    limits = [np.interp(at, heights, column, left=0.0, right=0.0) for column in radii.T]
    return outline._replace(radii=np.maximum(outline.radii, np.stack(limits, 1) + _LAYER))


def _around_neck(outline: Rings, garment: UpperGarment, neck: float, shoulder: float) -> Rings:
    """Tighten `outline` at the neck, where cloth lies on the skin, and widen the collar."""
    y = outline.stations
    tight = np.minimum(garment.ease, 0.008) - garment.ease
    room = tight * smoothstep(y, shoulder, neck - 0.01)
    if garment.collar:
        room = room + 0.014 * smoothstep(y, neck, neck + 0.03)
    return outline._replace(radii=outline.radii + room[:, None])


def neckline(points: np.ndarray, garment: UpperGarment, neck: float) -> np.ndarray:
    """Return the height (...) of a garment's upper edge at `points` (..., 3): lower in front."""
    if garment.collar:
        return np.full(points.shape[:-1], neck + 0.01)
    front = smoothstep(points[..., 2], 0.0, 0.06)
    middle = np.clip(1 - np.abs(points[..., 0]) / 0.09, 0, 1)
    deep = max(garment.neckline - 0.03, 0)
    return neck + 0.012 - front * (min(garment.neckline, 0.03) + deep * middle)


def _quilted(vertices: np.ndarray, step: float) -> np.ndarray:
    """Move the rings of a trunk between the seams outwards."""
    bulge = 0.02 * _bulge(vertices[..., 1].mean(1), step) - 0.006
    middle = vertices.mean(1, keepdims=True)
    outwards = vertices - middle
    outwards[..., 1] = 0
    length = np.linalg.norm(outwards, axis=2, keepdims=True)
    return vertices + outwards / length * bulge[:, None, None]


def _bulge(along: np.ndarray, step: float) -> np.ndarray:
    """Return 0 at the seams, 1 halfway between; `along` (R,) and `step` in metres."""
    phase = (along - along[0]) / step % 1
    return 4 * phase * (1 - phase)


def trunk_skin(tailor: Tailor, points: np.ndarray) -> Skin:
    """Skin cloth around the trunk at `points` (V, 3); below the hips it follows the thighs."""
    x, y = points[:, 0], points[:, 1]
    at = tailor.heights
    names = ("spine_01", "spine_02", "spine_03", "neck_01")
    over = [smoothstep(y, (h := float(tailor.joint(bone)[1])) - 0.04, h + 0.04) for bone in names]
    weights = {"pelvis": 1 - over[0]}
    for bone, low, high in zip(names, over, [*over[1:], np.zeros_like(y)], strict=True):
        weights[bone] = np.maximum(low - high, 0)
    legs = 0.95 * weights["pelvis"] * smoothstep(y, at.hip + 0.05, at.hip - 0.1)
    weights["pelvis"] = weights["pelvis"] - legs
    shoulder_x = abs(float(tailor.joint("upperarm_l")[0]))
    arm = 0.5 * smoothstep(np.abs(x), 0.6 * shoulder_x, 1.2 * shoulder_x)
    arm = arm * smoothstep(y, at.shoulder - 0.15, at.shoulder - 0.02) * weights["spine_03"]
    weights["spine_03"] = weights["spine_03"] - arm
    calf = 0.6 * smoothstep(y, at.knee + 0.1, at.knee - 0.25)
    for side, sign in SIDES.items():
        own = smoothstep(sign * x, -0.08, 0.08)
        weights[f"thigh_{side}"] = legs * own * (1 - calf)
        weights[f"calf_{side}"] = legs * own * calf
        weights[f"clavicle_{side}"] = 0.6 * arm * (sign * x > 0)
        weights[f"upperarm_{side}"] = 0.4 * arm * (sign * x > 0)
    return tailor.skin(weights)


def _sleeve(tailor: Tailor, garment: UpperGarment, name: str, side: str) -> Piece:
    slices, frame, length = tailor.arms[side]
    start, end = -_CAP, garment.sleeve * length
    stations = np.linspace(start, end, max(5, round((end - start) / _ARM_STEP)))
    arm = rings(slices, np.maximum(stations, _DELTOID), _ARM_COLUMNS)._replace(stations=stations)
    vertices = _sleeve_outline(arm, garment).points(frame)
    if garment.quilts:
        vertices = _puffed(vertices, stations, garment.quilts)
    elbow = float((tailor.joint(f"lowerarm_{side}") - frame.origin) @ frame.along)
    crumpled = 0.6 + 0.6 * smoothstep(np.abs(stations - elbow), 0.14, 0.02)
    return tube_piece(
        name,
        vertices,
        _arm_skin(tailor, side, np.repeat(stations, _ARM_COLUMNS + 1), elbow),
        garment.fabric,
        garment.folds * crumpled[:, None],
        1.0,
        outward=side == "r",
        zone=SLEEVE,
    )


def _sleeve_outline(arm: Rings, garment: UpperGarment) -> Rings:
    """Add ease to the outline of an arm, round the shoulder and narrow the cuff."""
    along = arm.stations
    inside = np.clip((along + _CAP) / (_CAP + _DELTOID), 0, 1)
    cap = np.sqrt(1 - (1 - inside) ** 2) * 0.97 + 0.03
    radii = (smoothed(arm.radii) + 0.85 * garment.ease) * cap[:, None]
    steps = np.diff(along, prepend=along[0])
    radii = limit_taper(radii, steps, 0.06 + 0.5 * garment.taper)
    if garment.sleeve > 0.9:
        cuff = smoothstep(along, along[-1] - _CUFF, along[-1])
        radii = radii - (0.55 * garment.ease * cuff)[:, None]
    return Rings(along, smoothed(smoothed(arm.middles)), radii)


def _puffed(vertices: np.ndarray, stations: np.ndarray, step: float) -> np.ndarray:
    """Widen the rings of a sleeve between the seams."""
    scale = 1 + 0.16 * _bulge(stations, step) - 0.04
    middle = vertices.mean(1, keepdims=True)
    return middle + (vertices - middle) * scale[:, None, None]


def _arm_skin(tailor: Tailor, side: str, along: np.ndarray, elbow: float) -> Skin:
    upper, fore = smoothstep(along, -0.07, 0.05), smoothstep(along, elbow - 0.04, elbow + 0.04)
    return tailor.skin(
        {
            "spine_03": 0.6 * (1 - upper),
            f"clavicle_{side}": 0.4 * (1 - upper),
            f"upperarm_{side}": upper * (1 - fore),
            f"lowerarm_{side}": fore,
        }
    )


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
    stations = np.linspace(hem, at.waist - 0.01, max(6, round((at.waist - hem) / _TRUNK_STEP)))
    outline = rings(tailor.trunk, stations, _TRUNK_COLUMNS)
    hung = _draped(outline, at.waist - 0.02, at.waist, _SKIRT_EASE, _SKIRT_TAPER, skirt.flare)
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
