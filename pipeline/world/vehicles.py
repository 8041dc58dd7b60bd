"""Parked cars and vans.

A car's skin is a grid: stations along its length, and at each a ring of points from the lower edge
of one side over the roof to that of the other. Stations lie where something begins or ends (a
wheel arch, a door, a window), so that every quad is of one finish.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator

from pipeline.world.finishes import BLACK_PLASTIC, GLASS, RUBBER, Finish, finish, pick
from pipeline.world.meshes import build, join, mirrored, moved, quads
from pipeline.world.solids import box, ellipsoid, tube
from pipeline.world.surfaces import Mesh
from pipeline.world.wheels import car_wheel

Point = tuple[float, float]

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


class _Shape(NamedTuple):
    """A body in metres: x from its middle to the front, y from the ground."""

    half_width: float
    wheel: float
    """Radius of the wheels."""
    axles: Point
    """x of the rear and the front axle."""
    sill: float
    """Height of the lower edge."""
    tail: Point
    """Upper edge of the rear end."""
    boot: Point
    rear_base: Point
    """Lower edge of the rear window."""
    rear_top: Point
    peak: Point
    screen_top: Point
    """Upper edge of the windscreen."""
    cowl: Point
    """Its lower edge."""
    nose: Point
    """Upper edge of the front end."""
    belt: tuple[float, float, float]
    """Height of the shoulder at the tail, in the middle and at the nose."""
    roof: float
    """Width of the roof over that of the body."""
    doors: tuple[float, ...]
    """x of the gaps between doors, from the rear."""
    side_glass: Point
    """x where the side windows begin and end."""
    cladding: bool = False
    """A lower edge of black plastic."""
    rails: float = 0.0
    """Chance of rails on the roof."""

    def varied(self, rng: np.random.Generator) -> _Shape:
        """Another model of this kind, a little longer or shorter, higher or lower."""
        long, high = rng.uniform(0.95, 1.05), rng.uniform(0.97, 1.03)
        points: dict[str, Any] = {}
        for name in _PROFILE:
            x, y = getattr(self, name)
            points[name] = (x * long, y * high)
        rear, middle, front = self.belt
        return self._replace(
            axles=(self.axles[0] * long, self.axles[1] * long),
            belt=(rear * high, middle * high, front * high),
            doors=tuple(door * long for door in self.doors),
            side_glass=(self.side_glass[0] * long, self.side_glass[1] * long),
            half_width=self.half_width * rng.uniform(0.97, 1.03),
            **points,
        )


_PROFILE = ("tail", "boot", "rear_base", "rear_top", "peak", "screen_top", "cowl", "nose")
"""Points of the side view from the rear, of which `_profile` makes the upper edge."""


_SALOON = _Shape(
    half_width=0.9,
    wheel=0.32,
    axles=(-1.35, 1.40),
    sill=0.24,
    tail=(-2.26, 0.98),
    boot=(-2.16, 1.03),
    rear_base=(-1.78, 1.07),
    rear_top=(-1.02, 1.37),
    peak=(-0.35, 1.44),
    screen_top=(0.22, 1.39),
    cowl=(1.02, 0.99),
    nose=(2.16, 0.70),
    belt=(0.93, 0.95, 0.66),
    roof=0.66,
    doors=(-0.92, -0.05, 0.98),
    side_glass=(-1.28, 0.80),
)
_HATCHBACK = _Shape(
    half_width=0.87,
    wheel=0.31,
    axles=(-1.28, 1.26),
    sill=0.24,
    tail=(-1.86, 0.90),
    boot=(-1.84, 0.96),
    rear_base=(-1.80, 1.04),
    rear_top=(-1.42, 1.40),
    peak=(-0.45, 1.49),
    screen_top=(0.15, 1.42),
    cowl=(0.92, 1.01),
    nose=(1.90, 0.72),
    belt=(0.98, 0.96, 0.68),
    roof=0.68,
    doors=(-0.88, 0.00, 0.92),
    side_glass=(-1.42, 0.72),
)
_ESTATE = _SALOON._replace(
    tail=(-2.26, 0.92),
    boot=(-2.24, 0.98),
    rear_base=(-2.18, 1.06),
    rear_top=(-1.82, 1.40),
    peak=(-0.45, 1.47),
    belt=(0.97, 0.95, 0.66),
    side_glass=(-1.86, 0.80),
    rails=0.5,
)
_SUV = _Shape(
    half_width=0.93,
    wheel=0.36,
    axles=(-1.34, 1.36),
    sill=0.32,
    tail=(-2.10, 1.05),
    boot=(-2.09, 1.12),
    rear_base=(-2.05, 1.20),
    rear_top=(-1.72, 1.60),
    peak=(-0.45, 1.70),
    screen_top=(0.20, 1.62),
    cowl=(0.98, 1.15),
    nose=(2.04, 0.90),
    belt=(1.12, 1.08, 0.84),
    roof=0.70,
    doors=(-0.92, -0.02, 0.96),
    side_glass=(-1.70, 0.76),
    cladding=True,
    rails=1.0,
)
_VAN = _Shape(
    half_width=0.97,
    wheel=0.33,
    axles=(-1.50, 1.50),
    sill=0.28,
    tail=(-2.46, 1.00),
    boot=(-2.455, 1.10),
    rear_base=(-2.45, 1.25),
    rear_top=(-2.38, 1.86),
    peak=(-0.60, 1.97),
    screen_top=(0.92, 1.86),
    cowl=(1.72, 1.20),
    nose=(2.28, 0.98),
    belt=(1.14, 1.12, 0.92),
    roof=0.80,
    doors=(-0.62, 0.32, 1.42),
    side_glass=(0.40, 1.48),
)

_PAINT, _GLASS, _TRIM, _GAP, _LAMP, _REAR_LAMP = range(6)
# Points of a ring, from the middle of the roof to the lower edge.
_MIDDLE, _CROWN, _ROOF_EDGE, _GLASS_TOP, _GLASS_BASE, _BELT, _SHOULDER, _SIDE, _BUMPER, _EDGE = (
    range(10)
)
_LOWER = (0.86, 0.55, 0.25, 0.0)  # heights between the lower edge and the belt


def car(rng: np.random.Generator) -> Mesh:
    """A saloon, hatchback, estate or SUV; 3.9 to 4.7 m long."""
    shape = (_SALOON, _HATCHBACK, _ESTATE, _SUV)[int(rng.integers(4))]
    return _vehicle(rng, shape.varied(rng), pick(rng, _CAR_PAINTS, 0.55))


def van(rng: np.random.Generator) -> Mesh:
    """A delivery van or, with windows all along, a minibus; it hides a whole person."""
    windows = rng.random() < 0.4
    shape = _VAN._replace(side_glass=(-2.2, 1.48)) if windows else _VAN
    paints = _CAR_PAINTS if windows else ("#e9e9e6", "#e2e2dc", "#d9dadb", "#c9a227", "#6d7176")
    return _vehicle(rng, shape.varied(rng), pick(rng, paints, 0.5))


def _vehicle(rng: np.random.Generator, shape: _Shape, paint: Finish) -> Mesh:
    skin = _skin(shape, paint)
    rim = pick(rng, ("#b9bcbe", "#8d9092", "#3a3b3d"), 0.4)
    spokes = rng.random() < 0.5
    track = shape.half_width - 0.10
    wheels = []
    for x in shape.axles:
        wheel = moved(car_wheel(shape.wheel, rim, spokes), x=x, y=shape.wheel, z=track)
        wheels += [wheel, mirrored(wheel)]
    return join(skin, _underbody(shape), *wheels, *_fittings(rng, shape, paint))


def _skin(shape: _Shape, paint: Finish) -> Mesh:
    """Body and windows: both sides, the front and the rear end."""
    stations = _stations(shape)
    half = _half_rings(shape, stations)  # (M, 10, 3)
    looks = _looks(shape, stations)
    other = half[:, ::-1] * (1, 1, -1)
    rings = np.concatenate([other, half[:, 1:]], 1)
    which = np.concatenate([looks[:, ::-1], looks], 1)
    front, rear = _end(half[-1], front=True), _end(half[0], front=False)
    grids = [rings, front, rear]
    labels = [which, _front_looks(), _rear_looks()]
    points, triangles, start = [], [], 0
    for grid in grids:
        triangles.append(quads(*grid.shape[:2]) + start)
        points.append(_bent(shape, grid).reshape(-1, 3))
        start += len(points[-1])
    gap = paint.shaded(0.25)._replace(gloss=0.1)
    finishes = [paint, GLASS, BLACK_PLASTIC, gap, _HEAD_LAMP, _TAIL_LAMP]
    faces = np.concatenate([np.repeat(each.ravel(), 2) for each in labels])
    return build(np.concatenate(points), np.concatenate(triangles), finishes, faces, crease=42)


def _stations(shape: _Shape) -> np.ndarray:
    """(M,) rising x of the rings."""
    knots = [shape.tail[0], shape.tail[0] + 0.12, shape.nose[0] - 0.12, shape.nose[0]]
    knots += [shape.nose[0] - 0.4, shape.boot[0], shape.rear_base[0], shape.rear_top[0]]
    knots += [shape.peak[0], shape.screen_top[0], shape.cowl[0], *shape.side_glass]
    curved = [shape.rear_base, shape.rear_top, shape.peak, shape.screen_top, shape.cowl]
    knots += [(one[0] + other[0]) / 2 for one, other in pairwise(curved)]
    knots += [shape.doors[1] - _PILLAR, shape.doors[1] + _PILLAR]
    for door in shape.doors:
        knots += [door - _LINE / 2, door + _LINE / 2]
    arch = shape.wheel + _ARCH
    for axle in shape.axles:
        turns = [math.pi * step / (_ARCH_POINTS - 1) for step in range(_ARCH_POINTS)]
        knots += [axle - arch * math.cos(turn) for turn in turns]
    return np.unique(np.round(knots, 4))


def _half_rings(shape: _Shape, x: np.ndarray) -> np.ndarray:
    """(M, 10, 3) points of the side z >= 0, from the middle of the roof downwards."""
    top, belt, edge = _profile(shape, x), _belt(shape, x), _lower_edge(shape, x)
    width, roof = _widths(shape, x)
    rise = top - belt
    heights = [
        top,
        belt + np.maximum(rise - 0.012, 0.93 * rise),
        belt + np.maximum(rise - 0.045, 0.75 * rise),
        belt + np.maximum(rise - 0.11, 0.5 * rise),
        belt + np.minimum(0.02, 0.3 * rise),
        belt,
    ] + [edge + part * (belt - edge) for part in _LOWER]
    across = [0 * x, 0.5 * roof, roof, roof + 0.05, 0 * x + 0.945, 0 * x + 0.96]
    across += [0 * x + part for part in (0.99, 1.0, 0.985, 0.955)]
    return np.stack(
        [
            np.stack([x, height, part * width], 1)
            for height, part in zip(heights, across, strict=True)
        ],
        1,
    )


def _widths(shape: _Shape, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(M,) half the width of the body, and that of the roof or bonnet as a fraction of it."""
    tail, nose = shape.tail[0], shape.nose[0]
    knots = [tail, tail + 0.12, -1.2, 1.2, nose - 0.4, nose - 0.12, nose]
    width = shape.half_width * np.interp(x, knots, [0.86, 0.95, 1.0, 1.0, 0.975, 0.93, 0.84])
    bends = [shape.rear_base[0], shape.rear_top[0], shape.screen_top[0], shape.cowl[0], nose]
    return width, np.interp(x, bends, [0.84, shape.roof, shape.roof, 0.84, 0.78])


def _belt(shape: _Shape, x: np.ndarray) -> np.ndarray:
    """(M,) height of the shoulder, just below the windows."""
    rear, middle, front = shape.belt
    knots = [shape.tail[0], 0, shape.cowl[0], shape.nose[0]]
    return np.minimum(
        np.interp(x, knots, [rear, middle, middle - 0.03, front]), _profile(shape, x) - 0.015
    )


def _profile(shape: _Shape, x: np.ndarray) -> np.ndarray:
    """(M,) height of the middle: boot, rear window, roof, windscreen, bonnet, without kinks."""
    bonnet = (
        0.62 * shape.nose[0] + 0.38 * shape.cowl[0],
        0.3 * shape.nose[1] + 0.7 * shape.cowl[1],
    )
    *knots, nose = [getattr(shape, name) for name in _PROFILE]
    knots += [bonnet, nose]
    return PchipInterpolator(*np.array(knots).T)(x)


def _lower_edge(shape: _Shape, x: np.ndarray) -> np.ndarray:
    """(M,) height of the body's lower edge: the sill, and arches over the wheels."""
    edge = np.full(len(x), shape.sill)
    for axle in shape.axles:
        inside = np.maximum((shape.wheel + _ARCH) ** 2 - (x - axle) ** 2, 0)
        edge = np.maximum(edge, np.where(inside > 0, shape.wheel + np.sqrt(inside), 0))
    return edge


def _bent(shape: _Shape, points: np.ndarray) -> np.ndarray:
    """Points (..., 3) with bowed windscreens and round ends."""
    x, y, z = np.moveaxis(points, -1, 0)
    bow = np.interp(
        x,
        [shape.tail[0], shape.rear_base[0], shape.peak[0], shape.cowl[0], shape.nose[0]],
        [-0.13, -0.08, 0, 0.1, 0.2],
    )
    low, high = shape.sill, shape.nose[1]
    lean = np.interp(
        y, [low, low + 0.12, low + 0.25, high - 0.1, high], [-0.03, 0.03, 0.03, 0, -0.08]
    )
    near = np.interp(x, [shape.tail[0], shape.tail[0] + 0.3, shape.nose[0] - 0.3, shape.nose[0]],
                     [-0.5, 0, 0, 1])  # fmt: skip
    shift = bow * (1 - (z / shape.half_width) ** 2) + lean * near
    return np.stack([x + shift, y, z], -1)


def _looks(shape: _Shape, stations: np.ndarray) -> np.ndarray:
    """(M - 1, 9) finish of each quad of the side z >= 0."""
    x = (stations[1:] + stations[:-1]) / 2
    looks = np.full((len(x), _EDGE), _PAINT)
    screen = (x > shape.screen_top[0]) & (x < shape.cowl[0])
    rear = (x > shape.rear_base[0]) & (x < shape.rear_top[0])
    looks[screen | rear, _MIDDLE:_ROOF_EDGE] = _GLASS
    side = (x > shape.side_glass[0]) & (x < shape.side_glass[1])
    looks[side, _GLASS_TOP] = _GLASS
    looks[side, _GLASS_BASE] = _TRIM
    for door in shape.doors:
        gap = np.abs(x - door) < _LINE / 2
        looks[gap, _BELT:_BUMPER] = _GAP
        looks[gap & side, _GLASS_TOP] = _TRIM
    pillar = np.abs(x - shape.doors[1]) < _PILLAR
    looks[pillar & side, _GLASS_TOP] = _TRIM
    if shape.cladding:
        looks[:, _BUMPER] = _TRIM
    looks[-1, _SHOULDER] = _LAMP
    looks[0, _SHOULDER] = _REAR_LAMP
    return looks


def _end(ring: np.ndarray, front: bool) -> np.ndarray:
    """(5, 11, 3) grid that closes an end: rows upwards, columns seen from the left."""
    crown = ring[: _BELT + 1]  # from the middle to the shoulder
    parts = crown[:, 2] / crown[-1, 2]
    parts = np.concatenate([parts[:0:-1], -parts])  # z from + to -
    rows = []
    for x, y, z in ring[:_BELT:-1]:
        rows.append(np.stack([0 * parts + x, 0 * parts + y, z * parts], 1))
    top = np.concatenate([crown[:0:-1], crown * (1, 1, -1)])
    grid = np.stack([*rows, top])
    return grid if front else grid[:, ::-1]


def _front_looks() -> np.ndarray:
    """(4, 10) finish of the front end: bumper, air intake, lamps and grille, lip of the bonnet."""
    looks = np.full((4, 10), _PAINT)
    looks[0, 2:8] = _TRIM
    looks[2, 3:7] = _TRIM
    looks[2, [0, 1, 2, 7, 8, 9]] = _LAMP
    return looks


def _rear_looks() -> np.ndarray:
    """(4, 10) finish of the rear end."""
    looks = np.full((4, 10), _PAINT)
    looks[0, 2:8] = _TRIM
    looks[2, [0, 1, 2, 7, 8, 9]] = _REAR_LAMP
    return looks


def _underbody(shape: _Shape) -> Mesh:
    """What is dark behind the wheels."""
    length = shape.nose[0] - shape.tail[0] - 0.2
    middle = (shape.nose[0] + shape.tail[0]) / 2
    size = (length, 0.5, 1.3 * shape.half_width)
    return box(size, (middle, shape.sill - 0.05 + size[1] / 2, 0), RUBBER.shaded(0.4))


def _fittings(rng: np.random.Generator, shape: _Shape, paint: Finish) -> list[Mesh]:
    """Mirrors, handles, number plates, roof rails."""
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
        x = np.linspace(shape.rear_top[0] + 0.05, shape.screen_top[0] - 0.05, len(_RAIL))
        rail = np.stack(
            [x, _profile(shape, x) + _RAIL, np.full(len(x), shape.roof * side - 0.04)], 1
        )
        parts.append(tube(rail, 0.016, BLACK_PLASTIC, sides=5))
    parts += [mirrored(part) for part in parts]
    plate = pick(rng, ("#e8e6dd", "#e8e6dd", "#e3c443"))
    for end, bulge in ((shape.tail[0], -0.14), (shape.nose[0], 0.235)):
        parts.append(box((0.02, 0.13, 0.42), (end + bulge, shape.sill + 0.3, 0), plate))
    return parts
