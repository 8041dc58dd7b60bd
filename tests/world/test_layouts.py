from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.world import grounds
from pipeline.world.finishes import CONCRETE
from pipeline.world.layouts import Layout, Walk
from pipeline.world.solids import box
from pipeline.world.textures import Texture
from pipeline.world.walls import brick_house

PATH = Texture(np.full((16, 16, 3), 0.3, np.float32), 0.1)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def layout() -> Layout:
    """A path to the right, 10 metres away and 4 metres wide, with people on it."""
    return Layout((0, -10), 0.0, 2.0, PATH, [Walk((-3, -10), (3, -10), 2.0)])


def test_along_and_across_turn_with_the_heading() -> None:
    assert layout().at(2, 1) == pytest.approx((2, -11))
    away = Layout((0, -10), math.pi / 2, 2.0, PATH)
    assert away.at(2, 1) == pytest.approx((-1, -12))


def test_people_spread_over_a_walk_in_both_directions() -> None:
    walk, random = Walk((-3, -10), (3, -10), 2.0), rng()
    spots = [walk.draw(random) for _ in range(200)]
    x, z, yaw = np.array(spots).T
    assert x.min() < -2.8
    assert x.max() > 2.8
    assert -11 <= z.min() < -10.9
    assert -9.1 < z.max() <= -9
    right = np.sin(yaw) > 0.7
    assert 0.3 < right.mean() < 0.7
    assert (np.abs(np.sin(yaw)) > 0.7).mean() > 0.95


def test_bands_lie_outside_of_each_other_on_both_sides() -> None:
    place = layout()
    place.band(rng(), 1, 0.5, grounds.kerb)
    place.band(rng(), 1, 3, grounds.grass, ragged=0.1)
    place.paving(-1, 1)
    place.band(rng(), -1, 2, grounds.grass)
    strips = place.strips()
    assert [strip.until for strip in strips] == pytest.approx([-3, -2, 2, 2.5, 5.5])
    assert strips[0].texture is strips[4].texture
    assert strips[1].texture is strips[2].texture is PATH
    assert strips[4].ragged == 0.1
    assert (place.edge(1), place.edge(-1)) == (5.5, 5)


@pytest.mark.parametrize(
    ("along", "across", "added"),
    [(0, 0, False), (0, -5, False), (2, 1.5, False), (0, 4, True), (6, -3, True)],
    ids=["on the walk", "before the walk", "too close", "behind the walk", "beside the walk"],
)
def test_a_prop_neither_hides_nor_blocks_people(along: float, across: float, added: bool) -> None:
    place = layout()
    place.place(box((1, 1, 1), (0, 0.5, 0), CONCRETE), along, across, 0.0)
    assert bool(place.props) == added
    if added:
        x, _, z = (place.props[0].vertices.max(0) + place.props[0].vertices.min(0)) / 2
        assert (x, z) == pytest.approx(place.at(along, across), abs=1e-5)


@pytest.mark.parametrize(
    ("side", "across", "added"), [(1, 3, True), (-1, 3, False), (-1, 11, True)]
)
def test_no_wall_stands_between_camera_and_path(side: int, across: float, added: bool) -> None:
    place = layout()
    place.wall(rng(), side, across, brick_house, opaque=True)
    assert bool(place.flats) == added
    for flat in place.flats:  # its front is towards the path
        assert np.sign(flat.normal[2]) == side
        assert (flat.x, flat.z) == pytest.approx((0, -10 - side * across))
