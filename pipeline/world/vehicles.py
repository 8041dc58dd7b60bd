"""Parked cars and vans.

A car's skin is a grid of stations along its length. Each station has a ring of points that runs
from the lower edge of one side over the roof to the lower edge of the other. Stations lie where a
wheel arch, a door or a window begins or ends, so each quad has one finish.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from scipy.interpolate import PchipInterpolator

from pipeline.world import Rng
from pipeline.world.car_shapes import ESTATE, HATCHBACK, SALOON, SUV, VAN, CarShape
from pipeline.world.finishes import BLACK_PLASTIC, GLASS, RUBBER, Finish, finish, pick
from pipeline.world.meshes import build, join, mirrored, moved, quads
from pipeline.world.solids import box, ellipsoid, tube
from pipeline.world.surfaces import Mesh
from pipeline.world.wheels import car_wheel

_CAR_PAINTS = (
    *("#e9e9e6", "#dcdcd8", "#17181a", "#222427", "#5c6064", "#767a7d", "#b4b7b9", "#c3c5c6"),
    *("#1d3f77", "#26456b", "#8d1b1b", "#a3201d", "#2d4034", "#b9a88a", "#4a3128", "#c8702a"),
)
_HEAD_LAMP = finish("#8f969b", 0.9)
_TAIL_LAMP = finish("#8e1414", 0.6)
_LINE = 0.012  # metres: width of the gap around a door
_PILLAR = 0.045  # metres: half the width of the pillar between the doors
_ARCH = 0.055  # metres between a tyre and the arch over it
_ARCH_POINTS = 9
_RAIL = np.array([-0.02, 0.01, 0.01, 0.01, -0.02])  # metres of a roof rail above the roof

_PAINT, _GLASS, _TRIM, _GAP, _LAMP, _REAR_LAMP = range(6)
# Points of a ring, from the middle of the roof to the lower edge.
_MIDDLE, _CROWN, _ROOF_EDGE, _GLASS_TOP, _GLASS_BASE, _BELT, _SHOULDER, _SIDE, _BUMPER, _EDGE = (
    range(10)
)
_LOWER = (0.86, 0.55, 0.25, 0.0)  # heights as fractions from the lower edge to the belt


def car(rng: Rng) -> Mesh:
    """Make a saloon, hatchback, estate or SUV, 4.0 to 5.0 m long."""
    shape = (SALOON, HATCHBACK, ESTATE, SUV)[int(rng.integers(4))]
    return _vehicle(rng, shape.varied(rng), pick(rng, _CAR_PAINTS, 0.55))


def van(rng: Rng) -> Mesh:
    """Make a delivery van, or a minibus with windows all along."""
    windows = rng.random() < 0.4
    shape = VAN._replace(side_glass=(-2.2, 1.48)) if windows else VAN
    paints = _CAR_PAINTS if windows else ("#e9e9e6", "#e2e2dc", "#d9dadb", "#c9a227", "#6d7176")
    return _vehicle(rng, shape.varied(rng), pick(rng, paints, 0.5))


def _vehicle(rng: Rng, shape: CarShape, paint: Finish) -> Mesh:
    skin = _skin(shape, paint)
    rim = pick(rng, ("#b9bcbe", "#8d9092", "#3a3b3d"), 0.4)
    spokes = rng.random() < 0.5
    track = shape.half_width - 0.10
    wheels = []
    for x in shape.axles:
        wheel = moved(car_wheel(shape.wheel, rim, spokes), x=x, y=shape.wheel, z=track)
        wheels += [wheel, mirrored(wheel)]
    return join(skin, _underbody(shape), *wheels, *_fittings(rng, shape, paint))


def _skin(shape: CarShape, paint: Finish) -> Mesh:
    """Make body and windows: both sides, the front and the rear end."""
    stations = _stations(shape)
    half = _half_rings(shape, stations)  # (M, 10, 3)
    ids = _finish_ids(shape, stations)
    other = half[:, ::-1] * (1, 1, -1)
    rings = np.concatenate([other, half[:, 1:]], 1)
    front, rear = _end(half[-1], front=True), _end(half[0], front=False)
    grids = [rings, front, rear]
    labels = [
        np.concatenate([ids[:, ::-1], ids], 1),
        _end_finish_ids(lamp=_LAMP, grille=_TRIM),
        _end_finish_ids(lamp=_REAR_LAMP, grille=_PAINT),
    ]
    points, triangles, start = [], [], 0
    for grid in grids:
        triangles.append(quads(*grid.shape[:2]) + start)
        points.append(_bent(shape, grid).reshape(-1, 3))
        start += len(points[-1])
    gap = paint.shaded(0.25)._replace(gloss=0.1)
    finishes = [paint, GLASS, BLACK_PLASTIC, gap, _HEAD_LAMP, _TAIL_LAMP]
    faces = np.concatenate([np.repeat(each.ravel(), 2) for each in labels])
    return build(np.concatenate(points), np.concatenate(triangles), finishes, faces, crease=42)


def _stations(shape: CarShape) -> np.ndarray:
    """Return (M,) rising x of the rings."""
    tail, nose, pillar = shape.x.tail, shape.x.nose, shape.doors[1]
    knots = [*shape.x, tail + 0.12, nose - 0.4, nose - 0.12, *shape.side_glass]
    knots += [(one + other) / 2 for one, other in pairwise(shape.x[2:7])]  # the curved part
    knots += [pillar - _PILLAR, pillar + _PILLAR]
    knots += [door + side * _LINE / 2 for door in shape.doors for side in (-1, 1)]
    arch = shape.wheel + _ARCH
    for axle in shape.axles:
        turns = [math.pi * step / (_ARCH_POINTS - 1) for step in range(_ARCH_POINTS)]
        knots += [axle - arch * math.cos(turn) for turn in turns]
    return np.unique(np.round(knots, 4))


def _half_rings(shape: CarShape, x: np.ndarray) -> np.ndarray:
    """Return (M, 10, 3) points of the side z >= 0, from the middle of the roof downwards."""
    top, edge = _profile(shape, x), _lower_edge(shape, x)
    belt = _belt(shape, x, top)
    width, roof = _widths(shape, x)
    rise = top - belt
    heights = [
        top,
        belt + np.maximum(rise - 0.012, 0.93 * rise),
        belt + np.maximum(rise - 0.045, 0.75 * rise),
        belt + np.maximum(rise - 0.11, 0.5 * rise),
        belt + np.minimum(0.02, 0.3 * rise),
        belt,
    ] + [edge + fraction * (belt - edge) for fraction in _LOWER]
    across = [0 * x, 0.5 * roof, roof, roof + 0.05, 0.945, 0.96, 0.99, 1.0, 0.985, 0.955]
    z = [fraction * width for fraction in across]
    return np.stack([np.stack([x, *pair], 1) for pair in zip(heights, z, strict=True)], 1)


def _widths(shape: CarShape, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (M,) half widths of the body, and of the roof or bonnet as a fraction of them."""
    tail, nose = shape.x.tail, shape.x.nose
    knots = [tail, tail + 0.12, -1.2, 1.2, nose - 0.4, nose - 0.12, nose]
    width = shape.half_width * np.interp(x, knots, [0.86, 0.95, 1.0, 1.0, 0.975, 0.93, 0.84])
    bends = [shape.x.rear_base, shape.x.rear_top, shape.x.screen_top, shape.x.cowl, nose]
    return width, np.interp(x, bends, [0.84, shape.roof, shape.roof, 0.84, 0.78])


def _belt(shape: CarShape, x: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Return (M,) heights of the shoulder, just below the windows."""
    rear, middle, front = shape.belt
    knots = [shape.x.tail, 0, shape.x.cowl, shape.x.nose]
    return np.minimum(np.interp(x, knots, [rear, middle, middle - 0.03, front]), top - 0.015)


def _profile(shape: CarShape, x: np.ndarray) -> np.ndarray:
    """Return (M,) heights of the middle as a smooth curve: boot, rear window, roof, bonnet."""
    (*x_knots, x_nose), (*y_knots, y_nose) = shape.x, shape.y
    x_bonnet = 0.62 * x_nose + 0.38 * shape.x.cowl
    y_bonnet = 0.3 * y_nose + 0.7 * shape.y.cowl
    return PchipInterpolator([*x_knots, x_bonnet, x_nose], [*y_knots, y_bonnet, y_nose])(x)


def _lower_edge(shape: CarShape, x: np.ndarray) -> np.ndarray:
    """Return (M,) heights of the lower edge: the sill, and arches over the wheels."""
    edge = np.full(len(x), shape.sill)
    for axle in shape.axles:
        inside = np.maximum((shape.wheel + _ARCH) ** 2 - (x - axle) ** 2, 0)
        edge = np.maximum(edge, np.where(inside > 0, shape.wheel + np.sqrt(inside), 0))
    return edge


def _bent(shape: CarShape, points: np.ndarray) -> np.ndarray:
    """Shift points (..., 3) along x: bow the windscreens and round the ends."""
    x, y, z = np.moveaxis(points, -1, 0)
    tail, nose, low, high = shape.x.tail, shape.x.nose, shape.sill, shape.y.nose
    knots = [tail, shape.x.rear_base, shape.x.peak, shape.x.cowl, nose]
    bow = np.interp(x, knots, [-0.13, -0.08, 0, 0.1, 0.2])
    levels = [low, low + 0.12, low + 0.25, high - 0.1, high]
    lean = np.interp(y, levels, [-0.03, 0.03, 0.03, 0, -0.08])
    near = np.interp(x, [tail, tail + 0.3, nose - 0.3, nose], [-0.5, 0, 0, 1])
    shift = bow * (1 - (z / shape.half_width) ** 2) + lean * near
    return np.stack([x + shift, y, z], -1)


def _finish_ids(shape: CarShape, stations: np.ndarray) -> np.ndarray:
    """Return the (M - 1, 9) finish of each quad of the side z >= 0."""
    x = (stations[1:] + stations[:-1]) / 2
    ids = np.full((len(x), _EDGE), _PAINT)
    screen = (x > shape.x.screen_top) & (x < shape.x.cowl)
    rear = (x > shape.x.rear_base) & (x < shape.x.rear_top)
    ids[screen | rear, _MIDDLE:_ROOF_EDGE] = _GLASS
    side = (x > shape.side_glass[0]) & (x < shape.side_glass[1])
    ids[side, _GLASS_TOP] = _GLASS
    ids[side, _GLASS_BASE] = _TRIM
    for door in shape.doors:
        gap = np.abs(x - door) < _LINE / 2
        ids[gap, _BELT:_BUMPER] = _GAP
        ids[gap & side, _GLASS_TOP] = _TRIM
    pillar = np.abs(x - shape.doors[1]) < _PILLAR
    ids[pillar & side, _GLASS_TOP] = _TRIM
    if shape.cladding:
        ids[:, _BUMPER] = _TRIM
    ids[-1, _SHOULDER] = _LAMP
    ids[0, _SHOULDER] = _REAR_LAMP
    return ids


def _end(ring: np.ndarray, front: bool) -> np.ndarray:
    """Return the (5, 11, 3) grid that closes an end: rows upwards, columns from the left."""
    crown = ring[: _BELT + 1]  # from the middle to the shoulder
    parts = crown[:, 2] / crown[-1, 2]
    parts = np.concatenate([parts[:0:-1], -parts])  # z from + to -
    rows = np.repeat(ring[:_BELT:-1, None], len(parts), 1)
    rows[..., 2] *= parts
    top = np.concatenate([crown[:0:-1], crown * (1, 1, -1)])
    grid = np.concatenate([rows, top[None]])
    return grid if front else grid[:, ::-1]


def _end_finish_ids(lamp: int, grille: int) -> np.ndarray:
    """Return the (4, 10) finish of an end: bumper, paint, lamps and grille, lip of the bonnet."""
    ids = np.full((4, 10), _PAINT)
    ids[0, 2:8] = _TRIM
    ids[2] = lamp
    ids[2, 3:7] = grille
    return ids


def _underbody(shape: CarShape) -> Mesh:
    """Make the dark box behind the wheels."""
    size = (shape.x.nose - shape.x.tail - 0.2, 0.5, 1.3 * shape.half_width)
    centre = ((shape.x.nose + shape.x.tail) / 2, shape.sill - 0.05 + size[1] / 2, 0)
    return box(size, centre, RUBBER.shaded(0.4))


def _fittings(rng: Rng, shape: CarShape, paint: Finish) -> list[Mesh]:
    """Make mirrors, door handles, number plates and roof rails."""
    side = shape.half_width
    at, height = shape.side_glass[1] - 0.06, shape.belt[1] + 0.07
    mirror = join(
        ellipsoid((0.09, 0.07, 0.1), (at, height, side + 0.07), paint, 5, 8, squareness=0.5),
        box((0.05, 0.03, 0.12), (at, height - 0.04, side), BLACK_PLASTIC),
    )
    parts = [mirror]
    for door in shape.doors[:2]:
        parts.append(box((0.18, 0.025, 0.03), (door + 0.13, shape.belt[1] - 0.1, side), paint))
    if rng.random() < shape.rails:
        x = np.linspace(shape.x.rear_top + 0.05, shape.x.screen_top - 0.05, len(_RAIL))
        across = np.full(len(x), shape.roof * side - 0.04)
        rail = np.stack([x, _profile(shape, x) + _RAIL, across], 1)
        parts.append(tube(rail, 0.016, BLACK_PLASTIC, sides=5))
    parts += [mirrored(part) for part in parts]
    plate = pick(rng, ("#e8e6dd", "#e8e6dd", "#e3c443"))
    for end, bulge in ((shape.x.tail, -0.14), (shape.x.nose, 0.235)):
        parts.append(box((0.02, 0.13, 0.42), (end + bulge, shape.sill + 0.3, 0), plate))
    return parts
