"""Shirts, jackets, coats and dresses: tubes around the trunk and the arms."""

from __future__ import annotations

import numpy as np

from pipeline.world.body import SIDES, Skin
from pipeline.world.clothes import Piece, UpperGarment, tube_piece
from pipeline.world.patterns import SLEEVE
from pipeline.world.tubes import (
    Rings,
    Tailor,
    hanging,
    raised,
    ramp,
    rings,
    smoothed,
    upright_frame,
)

TRUNK_COLUMNS = 30
TRUNK_STEP = 0.032  # metres between rings
_ARM_COLUMNS, _ARM_STEP, _SHOULDER_STEP = 12, 0.032, 0.014
_CAP, _DELTOID = 0.065, 0.035  # metres: a sleeve is round above the shoulder's joint
_LAYER = 0.01  # metres between two garments
_CUFF = 0.03  # metres over which a sleeve narrows at its end


def upper_pieces(
    tailor: Tailor, garment: UpperGarment, name: str, under: np.ndarray | None = None
) -> list[Piece]:
    """Trunk and sleeves; `name` is "top" or "outer".

    `under` (R, C, 3) are the rings of a garment below, which stays inside.
    """
    pieces = [_trunk(tailor, garment, name, under)]
    if garment.sleeve > 0:
        pieces += [_sleeve(tailor, garment, name, side) for side in SIDES]
    return pieces


def trunk_rings(piece: Piece) -> np.ndarray:
    """(R, C, 3) the rings of an upper garment's first piece."""
    return piece.vertices.reshape(-1, TRUNK_COLUMNS + 1, 3)


def _trunk(tailor: Tailor, garment: UpperGarment, name: str, under: np.ndarray | None) -> Piece:
    at = tailor.heights
    top = at.neck + max(garment.collar, 0.02)
    hem = at.hip - garment.hem * (at.hip - at.knee)
    bend = at.shoulder - 0.04
    stations = np.concatenate(
        [
            np.linspace(hem, bend, max(4, round((bend - hem) / TRUNK_STEP)), endpoint=False),
            np.linspace(bend, top, max(4, round((top - bend) / _SHOULDER_STEP))),
        ]
    )
    outline = draped(rings(tailor.trunk, stations, TRUNK_COLUMNS), garment, at.chest, at.waist)
    outline = _around_neck(outline, garment, at.neck, at.shoulder)
    if under is not None:
        outline = _outside(outline, under)
    vertices = raised(outline, upright_frame())
    if garment.quilts:
        vertices = _quilted(vertices, garment.quilts)
    still = 0.35 + 0.65 * ramp(stations, at.chest + 0.05, at.waist)
    return tube_piece(
        name,
        vertices,
        trunk_skin(tailor, vertices.reshape(-1, 3)),
        garment.fabric,
        garment.folds * still[:, None],
        _neck_cut(vertices, garment, at.neck),
        outward=True,
        two_sided=garment.opening != "none" or garment.hem > 0.3,
    )


def draped(outline: Rings, garment: UpperGarment, chest: float, waist: float) -> Rings:
    """The body's outline with room, falling from the chest."""
    radii = smoothed(outline.radii) + garment.ease
    down = outline.stations[::-1]
    flipped = radii[::-1]
    hangs = down <= chest
    steps = np.abs(np.diff(down[hangs], prepend=down[hangs][:1]))
    flipped[hangs] = hanging(flipped[hangs], steps, garment.taper)
    radii = flipped[::-1]
    radii = radii + garment.flare * np.maximum(waist - outline.stations, 0)[:, None]
    return Rings(outline.stations, smoothed(smoothed(outline.middles)), radii)


def _outside(outline: Rings, under: np.ndarray) -> Rings:
    """The outline, nowhere nearer than `_LAYER` to the rings of a garment below."""
    heights = under[:, 0, 1]
    middles = (under.min(1) + under.max(1)) / 2
    ahead, aside = under[..., 2] - middles[:, 2:], under[..., 0] - middles[:, :1]
    radii = np.sqrt(ahead * ahead + aside * aside)
    at = outline.stations
    limits = [np.interp(at, heights, column, left=0.0, right=0.0) for column in radii.T]
    return outline._replace(radii=np.maximum(outline.radii, np.stack(limits, 1) + _LAYER))


def _around_neck(outline: Rings, garment: UpperGarment, neck: float, shoulder: float) -> Rings:
    """Less room towards the neck, where cloth lies on the skin, and more again in a collar."""
    y = outline.stations
    tight = np.minimum(garment.ease, 0.008) - garment.ease
    room = tight * ramp(y, shoulder, neck - 0.01)
    if garment.collar:
        room = room + 0.014 * ramp(y, neck, neck + 0.03)
    return outline._replace(radii=outline.radii + room[:, None])


def _neck_cut(vertices: np.ndarray, garment: UpperGarment, neck: float) -> np.ndarray:
    """(R, C) metres below the neckline."""
    if garment.collar:
        return np.ones(vertices.shape[:2])
    return neckline(vertices, garment, neck) - vertices[..., 1]


def neckline(points: np.ndarray, garment: UpperGarment, neck: float) -> np.ndarray:
    """Height up to which a garment reaches at `points` (..., 3): lower in front."""
    if garment.collar:
        return np.full(points.shape[:-1], neck + 0.01)
    front = ramp(points[..., 2], 0.0, 0.06)
    middle = np.clip(1 - np.abs(points[..., 0]) / 0.09, 0, 1)
    deep = max(garment.neckline - 0.03, 0)
    return neck + 0.012 - front * (min(garment.neckline, 0.03) + deep * middle)


def _quilted(vertices: np.ndarray, step: float) -> np.ndarray:
    """Rings between the seams moved out."""
    along = vertices[..., 1].mean(1)
    phase = (along - along[0]) / step % 1
    bulge = 0.02 * (4 * phase * (1 - phase)) - 0.006
    middle = vertices.mean(1, keepdims=True)
    outwards = vertices - middle
    outwards[..., 1] = 0
    length = np.linalg.norm(outwards, axis=2, keepdims=True)
    return vertices + outwards / length * bulge[:, None, None]


def trunk_skin(tailor: Tailor, points: np.ndarray) -> Skin:
    """Bones of cloth around the trunk, which follows the thighs below the hips."""
    x, y = points[:, 0], points[:, 1]
    at = tailor.heights
    names = ("spine_01", "spine_02", "spine_03", "neck_01")
    over = [ramp(y, (h := float(tailor.joint(bone)[1])) - 0.04, h + 0.04) for bone in names]
    weights = {"pelvis": 1 - over[0]}
    for bone, low, high in zip(names, over, [*over[1:], np.zeros_like(y)], strict=True):
        weights[bone] = np.maximum(low - high, 0)
    legs = 0.95 * weights["pelvis"] * ramp(y, at.hip + 0.05, at.hip - 0.1)
    weights["pelvis"] = weights["pelvis"] - legs
    shoulder_x = abs(float(tailor.joint("upperarm_l")[0]))
    arm = 0.5 * ramp(np.abs(x), 0.6 * shoulder_x, 1.2 * shoulder_x)
    arm = arm * ramp(y, at.shoulder - 0.15, at.shoulder - 0.02) * weights["spine_03"]
    weights["spine_03"] = weights["spine_03"] - arm
    for side, sign in SIDES.items():
        own = ramp(sign * x, -0.08, 0.08)
        calf = 0.6 * ramp(y, at.knee + 0.1, at.knee - 0.25)
        weights[f"thigh_{side}"] = legs * own * (1 - calf)
        weights[f"calf_{side}"] = legs * own * calf
        weights[f"clavicle_{side}"] = 0.6 * arm * (sign * x > 0)
        weights[f"upperarm_{side}"] = 0.4 * arm * (sign * x > 0)
    return tailor.skin(weights)


def _sleeve(tailor: Tailor, garment: UpperGarment, name: str, side: str) -> Piece:
    slices, frame, length = tailor.arms[side]
    start, end = -_CAP, garment.sleeve * length
    stations = np.linspace(start, end, max(5, round((end - start) / _ARM_STEP)))
    outline = rings(slices, np.maximum(stations, _DELTOID), _ARM_COLUMNS)._replace(
        stations=stations
    )
    outline = _sleeve_room(outline, garment, length)
    vertices = raised(outline, frame)
    if garment.quilts:
        vertices = _puffed(vertices, stations, garment.quilts)
    elbow = float((tailor.joint(f"lowerarm_{side}") - frame.origin) @ frame.along)
    crumpled = 0.6 + 0.6 * ramp(np.abs(stations - elbow), 0.14, 0.02)
    return tube_piece(
        name,
        vertices,
        _arm_skin(tailor, side, np.repeat(stations, _ARM_COLUMNS + 1), elbow),
        garment.fabric,
        garment.folds * crumpled[:, None],
        np.ones(1),
        outward=side == "r",
        zone=SLEEVE,
    )


def _sleeve_room(outline: Rings, garment: UpperGarment, length: float) -> Rings:
    along = outline.stations
    inside = np.clip((along + _CAP) / (_CAP + _DELTOID), 0, 1)
    cap = np.sqrt(1 - (1 - inside) ** 2) * 0.97 + 0.03
    radii = (smoothed(outline.radii) + 0.85 * garment.ease) * cap[:, None]
    steps = np.diff(along, prepend=along[0])
    radii = hanging(radii, steps, 0.06 + 0.5 * garment.taper)
    if garment.sleeve > 0.9:
        cuff = ramp(along, along[-1] - _CUFF, along[-1])
        radii = radii - (0.55 * garment.ease * cuff)[:, None]
    middles = smoothed(smoothed(outline.middles))
    return Rings(along, middles, radii)


def _puffed(vertices: np.ndarray, stations: np.ndarray, step: float) -> np.ndarray:
    phase = (stations - stations[0]) / step % 1
    scale = 1 + 0.16 * (4 * phase * (1 - phase)) - 0.04
    middle = vertices.mean(1, keepdims=True)
    return middle + (vertices - middle) * scale[:, None, None]


def _arm_skin(tailor: Tailor, side: str, along: np.ndarray, elbow: float) -> Skin:
    upper, fore = ramp(along, -0.07, 0.05), ramp(along, elbow - 0.04, elbow + 0.04)
    return tailor.skin(
        {
            "spine_03": 0.6 * (1 - upper),
            f"clavicle_{side}": 0.4 * (1 - upper),
            f"upperarm_{side}": upper * (1 - fore),
            f"lowerarm_{side}": fore,
        }
    )
