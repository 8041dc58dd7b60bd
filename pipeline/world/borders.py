"""Borders of a path: lawn, bed, road, car park, square, or a narrow strip before a wall."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from pipeline.world import Rng, grounds, marks
from pipeline.world.ground_plan import Mark
from pipeline.world.layouts import Layout
from pipeline.world.objects import KINDS
from pipeline.world.surfaces import Mesh
from pipeline.world.walls import HOUSES, SCREENS, hedge

_T = TypeVar("_T")

_CAR = 5.6  # metres of kerb per parked car
_BAY = 2.6  # metres per parking bay
_VARIANTS = 3  # different meshes in a row
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


def draw_border(rng: Rng, layout: Layout, side: int) -> None:
    """Add the bands, props and walls of one side (1 or -1) of the path, up to a house."""
    if rng.random() < 0.15:
        _cycle_track(rng, layout, side)
    kinds, chances = list(_BORDERS), list(_BORDERS.values())
    kinds[rng.choice(len(kinds), p=chances)](rng, layout, side)
    layout.wall(rng, side, layout.edge(side), one_of(rng, HOUSES), opaque=True)
    layout.band(rng, side, 40, grounds.slabs)


def one_of(rng: Rng, options: Sequence[_T]) -> _T:
    """Sample one of the options uniformly."""
    return options[int(rng.integers(len(options)))]


def _cycle_track(rng: Rng, layout: Layout, side: int) -> None:
    """Add a coloured lane behind a white line."""
    layout.band(rng, side, 0.12, grounds.paint)
    layout.band(rng, side, rng.uniform(1.2, 2.2), grounds.red_asphalt)


def _lawn(rng: Rng, layout: Layout, side: int) -> None:
    """Add an edging and grass, perhaps with trees and a screen at its end."""
    if rng.random() < 0.6:
        layout.band(rng, side, 0.1, grounds.kerb)
    width = rng.uniform(2.5, 9)
    layout.band(rng, side, width, grounds.grass, 0.06)
    _row(rng, layout, side * (layout.edge(side) - width / 2), ("tree", "bush"), 4.0, 0.4)
    if rng.random() < 0.7:
        _screened_grass(rng, layout, side, 0.5)


def _bed(rng: Rng, layout: Layout, side: int) -> None:
    """Add a planted bed with a hedge or bushes."""
    layout.band(rng, side, 0.1, grounds.kerb)
    width = rng.uniform(0.8, 2)
    layout.band(rng, side, width, grounds.earth, 0.05)
    middle = layout.edge(side) - width / 2
    if rng.random() < 0.6:
        layout.wall(rng, side, middle, hedge)
    else:
        _row(rng, layout, side * middle, ("bush", "plant", "bare_bush"), 1.3, 0.8)
    layout.band(rng, side, rng.uniform(0.5, 6), one_of(rng, (grounds.grass, grounds.slabs)))


def _road(rng: Rng, layout: Layout, side: int) -> None:
    """Add kerb, gutter, road with parked cars, another kerb, pavement."""
    _kerb(rng, layout, side)
    layout.band(rng, side, 0.3, one_of(rng, (grounds.setts, grounds.concrete)), tone=0.85)
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
        _screened_grass(rng, layout, side, 1)


def _car_park(rng: Rng, layout: Layout, side: int) -> None:
    """Add cars side by side in bays."""
    _kerb(rng, layout, side)
    start = layout.edge(side)
    layout.band(rng, side, rng.uniform(6, 12), grounds.asphalt)
    across = side * (start + 2.8)
    _row(rng, layout, across, _VEHICLES, _BAY, 0.75, 0.03, math.pi / 2)
    line = marks.line(rng)
    for along in np.arange(-13 + _BAY / 2, 13, _BAY):
        x, z = layout.at(float(along), across)
        layout.marks.append(Mark(x, z, layout.heading, 0.12, 5.0, line))
    if rng.random() < 0.6:
        _screened_grass(rng, layout, side, 1)


def _square(rng: Rng, layout: Layout, side: int) -> None:
    """Add more paving with street furniture."""
    layout.band(rng, side, rng.uniform(0.2, 0.8), one_of(rng, (grounds.setts, grounds.slabs)))
    layout.paving(side, rng.uniform(3, 9))
    _row(rng, layout, side * (layout.half + 0.9), _FURNITURE, 2.0, 0.5, 0.3)
    _by_wall(rng, layout, side)


def _close_wall(rng: Rng, layout: Layout, side: int) -> None:
    """Add a narrow strip before the wall."""
    painter = one_of(rng, (grounds.gravel, grounds.earth, grounds.slabs, grounds.concrete))
    layout.band(rng, side, rng.uniform(0.9, 2.2), painter, 0.02)
    _by_wall(rng, layout, side)


_BORDERS: dict[Callable[[Rng, Layout, int], None], float] = {
    _lawn: 0.24,
    _bed: 0.12,
    _road: 0.2,
    _car_park: 0.12,
    _square: 0.18,
    _close_wall: 0.14,
}
"""Probability of each border."""


def _kerb(rng: Rng, layout: Layout, side: int) -> None:
    """Add a kerb and the dark line at its foot."""
    layout.band(rng, side, 0.14, grounds.kerb)
    layout.band(rng, side, 0.04, grounds.kerb, tone=0.35)


def _screened_grass(rng: Rng, layout: Layout, side: int, narrowest: float) -> None:
    """Add a screen and grass behind it."""
    layout.wall(rng, side, layout.edge(side), one_of(rng, SCREENS))
    layout.band(rng, side, rng.uniform(narrowest, 5), grounds.grass)


def _by_wall(rng: Rng, layout: Layout, side: int) -> None:
    """Add a stand of bicycles, or other things, at the end of the last band."""
    edge = layout.edge(side)
    if rng.random() < 0.3:
        _row(rng, layout, side * (edge - 0.9), ("bicycle",), 0.7, 0.7, 0.12, math.pi / 2)
    else:
        _row(rng, layout, side * (edge - 0.5), _BY_WALLS, 1.9, 0.55, 0.1)


def _row(
    rng: Rng,
    layout: Layout,
    across: float,
    kinds: Sequence[str],
    spacing: float,
    chance: float,
    jitter: float = 0.3,
    turn: float = 0.0,
) -> None:
    """Add things of some kinds in a row along the path, each with probability `chance`."""
    kinds = [kinds[row % len(kinds)] for row in rng.permutation(max(len(kinds), _VARIANTS))]
    built: dict[int, Mesh] = {}
    for along in np.arange(-14, 14, spacing) + rng.uniform(0, spacing):
        chosen, variant = rng.random() < chance, int(rng.integers(_VARIANTS))
        at = along + rng.normal(0, 0.5 * jitter), across + rng.normal(0, 0.3 * jitter)
        yaw = turn + rng.normal(0, jitter / 3) + math.pi * int(rng.integers(2))
        if not chosen or not layout.seen(*layout.at(*at)):
            continue
        if variant not in built:
            built[variant] = KINDS[kinds[variant]].make(rng)
        layout.place(built[variant], *at, yaw)
