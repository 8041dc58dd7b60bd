"""Garments: what they are made of, their cuts, and the pieces of cloth that they become."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.world.body import SIDES, Skin
from pipeline.world.meshes import quads
from pipeline.world.patterns import LEG, RIGID, SLEEVE, Fabric, Material, Painted
from pipeline.world.surfaces import PART, Mesh
from pipeline.world.tubes import (
    Frame,
    Rings,
    Slices,
    Tailor,
    hanging,
    raised,
    ramp,
    rings,
    smoothed,
    upright_frame,
)

_TRUNK_COLUMNS, _ARM_COLUMNS, _LEG_COLUMNS, _SHOE_COLUMNS = 30, 12, 16, 10
_TRUNK_STEP, _SHOULDER_STEP, _LIMB_STEP = 0.032, 0.014, 0.032  # metres between rings
_CAP, _DELTOID = 0.065, 0.035  # metres: a sleeve is round above the shoulder's joint
_LAYER = 0.01  # metres between two garments
_CUFF = 0.03  # metres over which a sleeve narrows at its end
_SOLE = 0.025  # metres


@dataclass(frozen=True)
class UpperGarment:
    """A shirt, sweater, jacket, coat or dress."""

    kind: str
    fabric: Fabric
    ease: float
    """Metres between the body and the cloth."""
    taper: float
    """Metres per metre by which the cloth may narrow below the chest; 0 falls straight."""
    hem: float
    """Its end between hip joint (0) and knee (1); above the hip below 0."""
    sleeve: float
    """Its end between shoulder (0) and wrist (1)."""
    neckline: float = 0.03
    """Metres by which the front of the neck is open."""
    collar: float = 0.0
    """Metres of cloth around the neck."""
    flare: float = 0.0
    """Metres per metre by which the cloth widens below the waist."""
    hood: bool = False
    opening: str = "none"
    """How the front closes: "none", "zip" or "buttons"."""
    folds: float = 0.005
    """Metres: depth of the folds."""
    quilts: float = 0.0
    """Metres between the seams of a quilted jacket; 0: not quilted."""


@dataclass(frozen=True)
class Trousers:
    """Trousers, shorts or leggings."""

    kind: str
    fabric: Fabric
    ease: float
    taper: float
    length: float
    """Its end between crotch (0) and ankle (1)."""
    folds: float = 0.004


@dataclass(frozen=True)
class Skirt:
    """A skirt from the waist down."""

    kind: str
    fabric: Fabric
    hem: float
    """Its end between hip joint (0) and knee (1)."""
    flare: float
    folds: float = 0.006


@dataclass(frozen=True)
class Shoes:
    """A pair of shoes."""

    kind: str
    fabric: Fabric
    shaft: float
    """Metres above the ankle joint."""


@dataclass(frozen=True)
class Piece:
    """A part of a person, in the bind pose."""

    vertices: np.ndarray
    """(V, 3) float32 metres."""
    triangles: np.ndarray
    """(T, 3) int32."""
    skin: Skin
    places: np.ndarray
    """(V, 3) float32: where a vertex is on the pattern of its fabric."""
    fabric: Material
    part: int
    """Index in `PARTS`."""
    folds: np.ndarray
    """(V,) float32 metres."""
    cut: np.ndarray
    """(V,) float32; see `Surface.cut`."""
    name: str
    """What it is of: "skin", "hair", "top", "outer"..."""
    twins: np.ndarray
    """(S, 2) rows of vertices at the same place."""
    two_sided: bool = False


def tube_piece(
    name: str,
    vertices: np.ndarray,
    skin: Skin,
    fabric: Material,
    folds: np.ndarray,
    cut: np.ndarray,
    outward: bool,
    zone: float = 0.0,
    two_sided: bool = False,
) -> Piece:
    """A piece of `vertices` (R, C, 3): rings whose last point is at the place of the first."""
    rows, columns = vertices.shape[:2]
    triangles = quads(rows, columns)
    places = _places(vertices, zone)
    if isinstance(fabric, Fabric):
        fabric = replace(fabric, length=float(places[:, 1].max()))
    start = np.arange(rows) * columns
    return Piece(
        vertices=vertices.reshape(-1, 3).astype(np.float32),
        triangles=(triangles if outward else triangles[:, ::-1]).astype(np.int32),
        skin=skin,
        places=places,
        fabric=fabric,
        part=PART[name],
        folds=np.broadcast_to(folds, (rows, columns)).ravel().astype(np.float32),
        cut=np.broadcast_to(cut, (rows, columns)).ravel().astype(np.float32),
        name=name,
        twins=np.stack([start, start + columns - 1], 1),
        two_sided=two_sided,
    )


def rigid_piece(
    name: str, mesh: Mesh, tailor: Tailor, bone: str | int, material: Material | None = None
) -> Piece:
    """A piece that moves with one bone; without a `material` it has the colours of `mesh`."""
    count = len(mesh.vertices)
    number = bone if isinstance(bone, int) else tailor.body.bone(bone)
    weights = np.zeros((count, 4), np.float32)
    weights[:, 0] = 1
    return Piece(
        vertices=mesh.vertices,
        triangles=mesh.triangles,
        skin=Skin(np.full((count, 4), number), weights),
        places=mesh.colours if material is None else _projected(mesh.vertices),
        fabric=Painted(float(mesh.gloss.max())) if material is None else material,
        part=PART[name],
        folds=np.zeros(count, np.float32),
        cut=np.ones(count, np.float32),
        name=name,
        twins=np.zeros((0, 2), np.int64),
        two_sided=bool(mesh.two_sided.any()),
    )


def _projected(vertices: np.ndarray) -> np.ndarray:
    """(V, 3) places of a rigid piece: across, down, and a zone of its own."""
    x, y, _ = (vertices - vertices.mean(0)).T
    return np.stack([x, -y, np.full_like(x, RIGID)], 1).astype(np.float32)


def _places(vertices: np.ndarray, zone: float) -> np.ndarray:
    """(V, 3) metres around from the front, metres along from the last ring, and the zone."""
    rows, columns = vertices.shape[:2]
    width = np.linalg.norm(np.diff(vertices, axis=1), axis=2).sum(1).mean()
    around = np.broadcast_to(np.linspace(-0.5, 0.5, columns) * width, (rows, columns))
    steps = np.linalg.norm(np.diff(vertices.mean(1), axis=0), axis=1)
    along = np.concatenate([[0], np.cumsum(steps)])
    along = np.broadcast_to((along[-1] - along)[:, None], (rows, columns))
    return (
        np.stack([around, along, np.full_like(around, zone)], 2).reshape(-1, 3).astype(np.float32)
    )


# ------------------------------------------------------------------------------- upper garments


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
    return piece.vertices.reshape(-1, _TRUNK_COLUMNS + 1, 3)


def _trunk(tailor: Tailor, garment: UpperGarment, name: str, under: np.ndarray | None) -> Piece:
    at = tailor.heights
    top = at.neck + max(garment.collar, 0.02)
    hem = at.hip - garment.hem * (at.hip - at.knee)
    bend = at.shoulder - 0.04
    stations = np.concatenate(
        [
            np.linspace(hem, bend, max(4, round((bend - hem) / _TRUNK_STEP)), endpoint=False),
            np.linspace(bend, top, max(4, round((top - bend) / _SHOULDER_STEP))),
        ]
    )
    outline = _draped(rings(tailor.trunk, stations, _TRUNK_COLUMNS), garment, at.chest, at.waist)
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


def _draped(outline: Rings, garment: UpperGarment, chest: float, waist: float) -> Rings:
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
    radii = np.hypot(under[..., 2] - middles[:, 2:], under[..., 0] - middles[:, :1])
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
    stations = np.linspace(start, end, max(5, round((end - start) / _LIMB_STEP)))
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


# ------------------------------------------------------------------------------- legs and feet


def trouser_pieces(tailor: Tailor, garment: Trousers) -> list[Piece]:
    """Two legs with their halves of the hips."""
    return [_trouser_leg(tailor, garment, side) for side in SIDES]


def _trouser_leg(tailor: Tailor, garment: Trousers, side: str) -> Piece:
    at = tailor.heights
    waist, hem = at.waist - 0.02, at.crotch - garment.length * (at.crotch - at.ankle)
    stations = np.linspace(waist, hem, max(8, round((waist - hem) / _LIMB_STEP)))
    outline = rings(tailor.halves[side], stations, _LEG_COLUMNS)
    steps = np.abs(np.diff(stations, prepend=stations[0]))
    ease = garment.ease * (0.4 + 0.6 * ramp(stations, at.hip + 0.05, at.crotch - 0.1))
    radii = smoothed(outline.radii) + ease[:, None]
    below = stations <= at.crotch
    radii[below] = hanging(radii[below], steps[below], garment.taper)
    vertices = raised(Rings(stations, smoothed(smoothed(outline.middles)), radii), upright_frame())
    crumpled = 0.5 + 0.7 * ramp(np.abs(stations - at.knee), 0.16, 0.03)
    crumpled = crumpled + 0.9 * ramp(stations, at.ankle + 0.16, at.ankle + 0.02)
    return tube_piece(
        "bottom",
        vertices,
        _leg_skin(tailor, side, np.repeat(stations, _LEG_COLUMNS + 1)),
        garment.fabric,
        garment.folds * crumpled[:, None],
        np.ones(1),
        outward=False,
        zone=LEG,
    )


def _leg_skin(tailor: Tailor, side: str, y: np.ndarray) -> Skin:
    at = tailor.heights
    spine = ramp(y, at.waist - 0.1, at.waist)
    thigh, calf = ramp(y, at.hip + 0.05, at.hip - 0.09), ramp(y, at.knee + 0.05, at.knee - 0.05)
    return tailor.skin(
        {
            "spine_01": 0.7 * spine,
            "pelvis": (1 - 0.7 * spine) * (1 - thigh),
            f"thigh_{side}": thigh * (1 - calf),
            f"calf_{side}": calf,
        }
    )


def skirt_pieces(tailor: Tailor, skirt: Skirt) -> list[Piece]:
    """One tube from the waist down."""
    at = tailor.heights
    hem = at.hip - skirt.hem * (at.hip - at.knee)
    stations = np.linspace(hem, at.waist - 0.01, max(6, round((at.waist - hem) / _TRUNK_STEP)))
    outline = rings(tailor.trunk, stations, _TRUNK_COLUMNS)
    cloth = UpperGarment("skirt", skirt.fabric, 0.012, 0.02, skirt.hem, 0, flare=skirt.flare)
    draped = _draped(outline, cloth, at.waist - 0.02, at.waist)
    vertices = raised(draped, upright_frame())
    loose = ramp(stations, at.waist, at.crotch)
    skin = trunk_skin(tailor, vertices.reshape(-1, 3))
    folds = skirt.folds * loose[:, None]
    return [
        tube_piece("bottom", vertices, skin, skirt.fabric, folds, np.ones(1), True, two_sided=True)
    ]


def shoe_pieces(tailor: Tailor, shoes: Shoes, shaft: bool) -> list[Piece]:
    """A shoe for each foot, and the shafts of boots unless trousers hide them."""
    pieces = []
    for side in SIDES:
        pieces.append(_shoe(tailor, shoes, side))
        if shaft and shoes.shaft > 0:
            pieces.append(_shaft(tailor, shoes, side))
    return pieces


def _foot(tailor: Tailor, side: str) -> tuple[Slices, Frame]:
    """A foot from the heel on, along z; rings start above."""
    own = tailor.shape.vertices[:, 0] * SIDES[side] > 0
    low = tailor.shape.vertices[:, 1] < tailor.heights.ankle + 0.03
    up, left = np.array([0.0, 1, 0]), np.array([1.0, 0, 0])
    frame = Frame(np.zeros(3), np.array([0.0, 0, 1]), up, left)
    return tailor.slices(own & low, frame), frame


def _shoe(tailor: Tailor, shoes: Shoes, side: str) -> Piece:
    slices, frame = _foot(tailor, side)
    ends = 0.012
    parts = np.array([0, 0.04, 0.12, 0.25, 0.4, 0.55, 0.7, 0.82, 0.92, 0.975, 1.0])
    stations = slices.low - ends + parts * (slices.high - slices.low + 2 * ends)
    outline = rings(slices, stations, _SHOE_COLUMNS)
    round_ends = np.sqrt(np.clip(1 - np.maximum(1 - 8 * parts, 0) ** 2, 0.02, 1))
    round_ends = round_ends * np.sqrt(np.clip(1 - np.maximum(1 - 7 * (1 - parts), 0) ** 2, 0.02, 1))
    radii = smoothed(outline.radii) * round_ends[:, None] + 0.009 * round_ends[:, None]
    vertices = raised(Rings(stations, smoothed(outline.middles), radii), frame)
    vertices[..., 1] = np.maximum(vertices[..., 1] - _SOLE * (vertices[..., 1] < 0.02), -_SOLE)
    toes = ramp(np.repeat(stations, _SHOE_COLUMNS + 1), *_toe_joint(tailor, side))
    skin = tailor.skin({f"foot_{side}": 1 - toes, f"ball_{side}": toes})
    piece = tube_piece("shoes", vertices, skin, shoes.fabric, np.zeros(1), np.ones(1), False)
    places = piece.places.copy()
    places[:, 2] = piece.vertices[:, 1] + _SOLE  # height above the ground
    return replace(piece, places=places)


def _toe_joint(tailor: Tailor, side: str) -> tuple[float, float]:
    z = float(tailor.joint(f"ball_{side}")[2])
    return z - 0.02, z + 0.02


def _shaft(tailor: Tailor, shoes: Shoes, side: str) -> Piece:
    at = tailor.heights
    stations = np.linspace(at.ankle + shoes.shaft, at.ankle - 0.03, 5)
    outline = rings(tailor.halves[side], stations, _SHOE_COLUMNS)
    vertices = raised(outline._replace(radii=outline.radii + 0.012), upright_frame())
    y = np.repeat(stations, _SHOE_COLUMNS + 1)
    calf = ramp(y, at.ankle - 0.02, at.ankle + 0.03)
    skin = tailor.skin({f"calf_{side}": calf, f"foot_{side}": 1 - calf})
    return tube_piece("shoes", vertices, skin, shoes.fabric, np.full(1, 0.002), np.ones(1), False)
