"""How a place is laid out around a path: its borders, walls, and what stands along them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np

from pipeline.world import grounds, marks, walls
from pipeline.world.objects import KINDS, footprint
from pipeline.world.scenery import Flat, Mark, Strip
from pipeline.world.surfaces import Mesh
from pipeline.world.textures import Texture

_T = TypeVar("_T")

_SIGHT = 0.34  # people are seen up to this many metres aside, a metre away
_CAR = 5.6  # metres of kerb that a parked car takes
_VARIANTS = 3  # different things in a row
_BAY = 2.6  # metres of a parking bay
_MARGIN = 0.35  # metres around people that stay free
_FURNITURE = (
    *("bollard", "sign_board", "sign_post", "lamp_post", "bin", "bench", "planter", "tree"),
    *("bicycle", "parasol", "table", "newspaper_box", "hydrant", "post_box"),
)
_BY_WALLS = (
    *("bicycle", "bicycle", "bicycle", "bin", "bin", "planter", "plant", "bench", "cabinet"),
    *("vending", "sign_board", "scooter", "post_box", "crate"),
)
_POSTS = ("lamp_post", "sign_post", "bollard", "tree", "hydrant")
_VEHICLES = ("car", "car", "car", "car", "van")


class Standpoint(NamedTuple):
    """Where a person is and whither it walks."""

    x: float
    z: float
    yaw: float
    """Radians; 0 walks towards +z."""


class Walk(NamedTuple):
    """A straight line along which people go, in both directions."""

    start: tuple[float, float]
    """x and z in metres."""
    end: tuple[float, float]
    width: float
    """Metres across which people spread."""

    def at(self, along: float, aside: float) -> tuple[float, float]:
        """x and z by the fraction of the length (0 to 1) and of the width (-0.5 to 0.5)."""
        dx, dz = self.end[0] - self.start[0], self.end[1] - self.start[1]
        step = aside * self.width / math.hypot(dx, dz)
        return self.start[0] + along * dx - step * dz, self.start[1] + along * dz + step * dx

    def draw(self, rng: np.random.Generator) -> Standpoint:
        """Somebody on it."""
        x, z = self.at(rng.uniform(0, 1), rng.uniform(-0.5, 0.5))
        yaw = math.atan2(self.end[0] - self.start[0], self.end[1] - self.start[1])
        return Standpoint(x, z, yaw + rng.normal(0, 0.18) + math.pi * int(rng.integers(2)))


class _Band(NamedTuple):
    """A strip of ground beside the path."""

    width: float
    texture: Texture
    ragged: float = 0.0
    tone: float = 1.0


@dataclass
class Layout:
    """A place under construction, around a path."""

    origin: tuple[float, float]
    """x and z of the middle of the path."""
    heading: float
    """Radians: 0 is a path to the right, a quarter turn one that leads away from the camera."""
    half: float
    """Half the width of the path in metres."""
    far: float
    """Metres before the camera up to which people walk."""
    path: Texture
    walks: list[Walk]
    bands: dict[int, list[_Band]] = field(default_factory=lambda: {1: [], -1: []})
    """From the path outwards, on its far side (1) and on the other one (-1)."""
    marks: list[Mark] = field(default_factory=list)
    flats: list[Flat] = field(default_factory=list)
    props: list[Mesh] = field(default_factory=list)
    textures: dict[grounds.Painter, Texture] = field(default_factory=dict)

    def at(self, along: float, across: float) -> tuple[float, float]:
        """x and z by metres along the path and across it, to its far side."""
        c, s = math.cos(self.heading), math.sin(self.heading)
        return self.origin[0] + along * c - across * s, self.origin[1] - along * s - across * c

    def strips(self) -> list[Strip]:
        """All strips from the near side to the far one."""
        outwards = self.bands[-1]
        until = -self.half - sum(band.width for band in outwards)
        strips = []
        for band in reversed(outwards):
            until += band.width
            strips.append(Strip(until, band.texture, band.ragged, band.tone))
        strips.append(Strip(self.half, self.path))
        until = self.half
        for band in self.bands[1]:
            until += band.width
            strips.append(Strip(until, band.texture, band.ragged, band.tone))
        return strips

    def edge(self, side: int) -> float:
        """Metres from the middle of the path to the end of its last band."""
        return self.half + sum(band.width for band in self.bands[side])

    def band(
        self,
        rng: np.random.Generator,
        side: int,
        width: float,
        painter: grounds.Painter,
        ragged: float = 0.0,
        tone: float = 1.0,
    ) -> None:
        """Add a band outside of the others."""
        if painter not in self.textures:
            self.textures[painter] = grounds.ground_texture(rng, painter)
        self.bands[side].append(_Band(width, self.textures[painter], ragged, tone))

    def wall(
        self,
        rng: np.random.Generator,
        side: int,
        across: float,
        painter: walls.Painter,
        opaque: bool = False,
    ) -> None:
        """Put up a flat along the path, unless it would stand between camera and path."""
        camera = self.origin[1] * math.cos(self.heading)  # metres across
        if side < 0 and across < 0.5 - camera:
            return
        texture = painter(rng)
        x, z = self.at(0, side * across)
        yaw = self.heading if side > 0 else self.heading + math.pi
        self.flats.append(Flat(x, z, yaw, -60, 60, texture, opaque))

    def place(self, mesh: Mesh, along: float, across: float, yaw: float) -> None:
        """Put a prop down, unless it may hide or hinder somebody."""
        x, z = self.at(along, across)
        if not self._hinders(x, z, math.hypot(*footprint(mesh)) + _MARGIN):
            self.props.append(mesh.placed(self.heading + yaw, x, z))

    def seen(self, x: float, z: float) -> bool:
        """Whether something of some metres may be behind people, in no one's way."""
        return -34 < z < -4 and abs(x) < _SIGHT * abs(z) + 3 and not self._hinders(x, z, _MARGIN)

    def _hinders(self, x: float, z: float, radius: float) -> bool:
        """Whether a disc is in the way of people or between them and the camera."""
        for walk in self.walks:
            for along in np.linspace(0, 1, 9):
                for aside in (-0.5, 0, 0.5):
                    if _distance(x, z, *walk.at(float(along), aside)) < radius:
                        return True
        return False


def _distance(x: float, z: float, end_x: float, end_z: float) -> float:
    """Distance of (x, z) from the line from the camera (0, 0) to an end."""
    share = (x * end_x + z * end_z) / (end_x * end_x + end_z * end_z)
    share = min(1.0, max(0.0, share))
    return math.hypot(x - share * end_x, z - share * end_z)


def draw_layout(rng: np.random.Generator, near: float, far: float) -> Layout:
    """A path with people on it `near` to `far` metres before the camera, and its borders."""
    heading = _draw_heading(rng)
    along = abs(heading) > 1.2
    half = rng.uniform(1.0, 2.6)
    origin = (rng.uniform(-1, 1) * along, -(near + far) / 2)
    path = grounds.ground_texture(rng, _choice(rng, grounds.PAVED))
    layout = Layout(origin, heading, half, far, path, [])
    layout.walks += _draw_walks(rng, layout, near, far)
    if rng.random() < 0.3:
        _cross_bands(rng, layout)
    for side in (1, -1):
        if rng.random() < 0.15:
            _cycle_track(rng, layout, side)
        border = _BORDERS[rng.choice(len(_BORDERS), p=_CHANCES)]
        border(rng, layout, side)
        layout.wall(rng, side, layout.edge(side), _choice(rng, walls.HOUSES), opaque=True)
        layout.band(rng, side, 40, grounds.slabs)
    _end(rng, layout)
    _scatter_marks(rng, layout)
    return layout


def _draw_heading(rng: np.random.Generator) -> float:
    """Across the view, oblique, or towards the camera."""
    kind = rng.random()
    if kind < 0.3:
        return rng.uniform(-0.15, 0.15)
    return float(rng.choice([-1, 1])) * (
        rng.uniform(0.4, 1.1) if kind < 0.65 else rng.uniform(1.35, 1.57)
    )


def _draw_walks(
    rng: np.random.Generator, layout: Layout, near: float, far: float
) -> Sequence[Walk]:
    """Along the path, and perhaps across it."""
    c, s = abs(math.cos(layout.heading)), abs(math.sin(layout.heading))
    reach = min((far - near) / 2 / max(s, 0.01), _SIGHT * near / max(c, 0.01))
    walks = [Walk(layout.at(-reach, 0), layout.at(reach, 0), 1.5 * layout.half)]
    if rng.random() < 0.5:
        turn, length = rng.uniform(0.5, 1.2), 0.9 * layout.half
        along = length / math.tan(turn)
        walks.append(Walk(layout.at(-along, -length), layout.at(along, length), 1.0))
    return walks


def _cross_bands(rng: np.random.Generator, layout: Layout) -> None:
    """Rows of other stones across the path."""
    texture, width = marks.band(rng), rng.uniform(0.15, 0.5)
    for along in np.arange(-14, 14, rng.uniform(1.6, 4)):
        x, z = layout.at(float(along), 0)
        yaw = layout.heading + math.pi / 2
        layout.marks.append(Mark(x, z, yaw, 2 * layout.half, width, texture))


def _cycle_track(rng: np.random.Generator, layout: Layout, side: int) -> None:
    """A coloured lane behind a white line."""
    layout.band(rng, side, 0.12, grounds.paint)
    layout.band(rng, side, rng.uniform(1.2, 2.2), grounds.red_asphalt)


def _lawn(rng: np.random.Generator, layout: Layout, side: int) -> None:
    """An edging and grass, perhaps trees, and a hedge or fence at its end."""
    if rng.random() < 0.6:
        layout.band(rng, side, 0.1, grounds.kerb)
    width = rng.uniform(2.5, 9)
    layout.band(rng, side, width, grounds.grass, 0.06)
    _row(rng, layout, side * (layout.edge(side) - width / 2), ("tree", "bush"), 4.0, 0.4)
    if rng.random() < 0.7:
        _screen(rng, layout, side, layout.edge(side))
        layout.band(rng, side, rng.uniform(0.5, 5), grounds.grass)


def _bed(rng: np.random.Generator, layout: Layout, side: int) -> None:
    """A planted bed with a hedge in it."""
    layout.band(rng, side, 0.1, grounds.kerb)
    width = rng.uniform(0.8, 2)
    layout.band(rng, side, width, grounds.earth, 0.05)
    middle = layout.edge(side) - width / 2
    if rng.random() < 0.6:
        layout.wall(rng, side, middle, walls.hedge)
    else:
        _row(rng, layout, side * middle, ("bush", "plant", "bare_bush"), 1.3, 0.8)
    layout.band(rng, side, rng.uniform(0.5, 6), _choice(rng, (grounds.grass, grounds.slabs)))


def _road(rng: np.random.Generator, layout: Layout, side: int) -> None:
    """Kerb, gutter, road with parked cars, another kerb, a pavement."""
    layout.band(rng, side, 0.14, grounds.kerb)
    layout.band(rng, side, 0.04, grounds.kerb, tone=0.35)
    layout.band(rng, side, 0.3, _choice(rng, (grounds.setts, grounds.concrete)), tone=0.85)
    start = layout.edge(side)
    layout.band(rng, side, rng.uniform(5, 7), grounds.asphalt)
    if rng.random() < 0.75:
        _row(rng, layout, side * (start + 0.9), _VEHICLES, _CAR, 0.75, 0.02)
    if rng.random() < 0.6:
        _row(rng, layout, side * (layout.edge(side) - 1.1), _VEHICLES, _CAR, 0.75, 0.02)
    if rng.random() < 0.5:
        layout.band(rng, side, 0.14, grounds.paint)
    layout.band(rng, side, 0.14, grounds.kerb)
    layout.band(rng, side, rng.uniform(1.5, 3), grounds.slabs)
    _row(rng, layout, side * (layout.edge(side) - 0.5), _POSTS, 3.0, 0.5)
    if rng.random() < 0.5:
        _screen(rng, layout, side, layout.edge(side))
        layout.band(rng, side, rng.uniform(1, 5), grounds.grass)


def _car_park(rng: np.random.Generator, layout: Layout, side: int) -> None:
    """Cars side by side in bays."""
    layout.band(rng, side, 0.14, grounds.kerb)
    layout.band(rng, side, 0.04, grounds.kerb, tone=0.35)
    start = layout.edge(side)
    layout.band(rng, side, rng.uniform(6, 12), grounds.asphalt)
    across = side * (start + 2.8)
    _row(rng, layout, across, _VEHICLES, _BAY, 0.75, 0.03, math.pi / 2)
    line = marks.line(rng)
    for along in np.arange(-13 + _BAY / 2, 13, _BAY):
        x, z = layout.at(float(along), across)
        layout.marks.append(Mark(x, z, layout.heading, 0.12, 5.0, line))
    if rng.random() < 0.6:
        _screen(rng, layout, side, layout.edge(side))
        layout.band(rng, side, rng.uniform(1, 5), grounds.grass)


def _square(rng: np.random.Generator, layout: Layout, side: int) -> None:
    """More paving with street furniture."""
    layout.band(rng, side, rng.uniform(0.2, 0.8), _choice(rng, (grounds.setts, grounds.slabs)))
    width = rng.uniform(3, 9)
    layout.bands[side].append(_Band(width, layout.path))
    _row(rng, layout, side * (layout.half + 0.9), _FURNITURE, 2.0, 0.5, 0.3)
    _by_wall(rng, layout, side)


def _close_wall(rng: np.random.Generator, layout: Layout, side: int) -> None:
    """A narrow strip before the wall, where things lean and stand."""
    painter = _choice(rng, (grounds.gravel, grounds.earth, grounds.slabs, grounds.concrete))
    layout.band(rng, side, rng.uniform(0.9, 2.2), painter, 0.02)
    _by_wall(rng, layout, side)


def _by_wall(rng: np.random.Generator, layout: Layout, side: int) -> None:
    """What leans and stands at the end of the last band: a stand of bicycles or other things."""
    edge = layout.edge(side)
    if rng.random() < 0.3:
        _row(rng, layout, side * (edge - 0.9), ("bicycle",), 0.7, 0.7, 0.12, math.pi / 2)
    else:
        _row(rng, layout, side * (edge - 0.5), _BY_WALLS, 1.9, 0.55, 0.1)


_BORDERS = (_lawn, _bed, _road, _car_park, _square, _close_wall)
_CHANCES = (0.24, 0.12, 0.2, 0.12, 0.18, 0.14)


def _screen(rng: np.random.Generator, layout: Layout, side: int, across: float) -> None:
    layout.wall(rng, side, across, _choice(rng, walls.SCREENS))


def _row(
    rng: np.random.Generator,
    layout: Layout,
    across: float,
    kinds: Sequence[str],
    spacing: float,
    chance: float,
    jitter: float = 0.3,
    turn: float = 0.0,
) -> None:
    """Things of some kinds along the path, on `chance` of the spots."""
    kinds = [kinds[row % len(kinds)] for row in rng.permutation(max(len(kinds), _VARIANTS))]
    built: dict[int, Mesh] = {}
    for along in np.arange(-14, 14, spacing) + rng.uniform(0, spacing):
        chosen, variant = rng.random() < chance, int(rng.integers(_VARIANTS))
        at = along + rng.normal(0, 0.5 * jitter), across + rng.normal(0, 0.3 * jitter)
        yaw = turn + rng.normal(0, jitter / 3) + math.pi * int(rng.integers(2))
        if not chosen or not layout.seen(*layout.at(*at)):
            continue
        if variant not in built:
            built[variant] = KINDS[kinds[variant]](rng)
        layout.place(built[variant], *at, yaw)


def _end(rng: np.random.Generator, layout: Layout) -> None:
    """Close the view with a house, perhaps with something green before it."""
    distance = layout.far + rng.uniform(5, 16)
    yaw = rng.normal(0, 0.15)
    texture = _choice(rng, walls.HOUSES)(rng)
    layout.flats.append(Flat(0, -distance, yaw, -80, 80, texture, True))
    if rng.random() < 0.5:
        screen = _choice(rng, walls.SCREENS)(rng)
        nearer = distance - rng.uniform(0.5, 3)
        gap = rng.uniform(-6, 6)
        layout.flats.append(Flat(0, -nearer, yaw, -80, gap, screen, False))


def _scatter_marks(rng: np.random.Generator, layout: Layout) -> None:
    """Covers, drains, puddles, stains, leaves on the path and beside it."""
    painters = (marks.cover, marks.grating, marks.repair, marks.puddle, marks.stain, marks.leaves)
    sizes = (0.65, 0.45, 1.6, 1.3, 0.9, 1.6)
    for _ in range(int(rng.integers(4, 16))):
        kind = int(rng.choice(len(painters), p=(0.16, 0.1, 0.14, 0.14, 0.28, 0.18)))
        across = rng.uniform(-1.2, 1.6) * layout.half
        x, z = layout.at(rng.uniform(-9, 9), across)
        width, length = sizes[kind] * rng.uniform(0.7, 1.4, 2) if kind > 1 else (sizes[kind],) * 2
        yaw = layout.heading + (rng.uniform(0, 3) if kind > 2 else 0)
        layout.marks.append(Mark(x, z, yaw, width, length, painters[kind](rng)))


def _choice(rng: np.random.Generator, options: Sequence[_T]) -> _T:
    return options[int(rng.integers(len(options)))]
