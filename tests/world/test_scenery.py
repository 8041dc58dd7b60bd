from __future__ import annotations

import math

import numpy as np

from pipeline.world.finishes import CONCRETE
from pipeline.world.flats import Flat
from pipeline.world.ground_plan import GroundPlan, Strip
from pipeline.world.renderer import Ground
from pipeline.world.scenery import Scenery
from pipeline.world.shade import Shade
from pipeline.world.solids import box
from pipeline.world.surfaces import Mesh
from pipeline.world.textures import Texture
from pipeline.world.view import Rays

EYE = np.array([0, 2, 0], np.float32)
SUN_IN_THE_EAST = np.array([math.sqrt(0.5), math.sqrt(0.5), 0], np.float32)


def plain(*values: float) -> Texture:
    """A texture of one colour, 3.2 m high."""
    return Texture(np.full((32, 32, len(values)), values, np.float32), 0.1)


def half_open() -> Texture:
    """Red up to 1.6 m, transparent above."""
    image = np.zeros((32, 32, 4), np.float32)
    image[16:] = (0.6, 0.0, 0.0, 1.0)
    return Texture(image, 0.1)


def shade(props: list[Mesh] | None = None, flats: list[Flat] | None = None) -> Shade:
    return Shade(np.ones((512, 512), np.float32), SUN_IN_THE_EAST, props or [], flats or [])


def meet(flats: list[Flat], *points: tuple[float, float, float], haze: float = 0) -> Ground:
    """What rays through the points meet."""
    grey = GroundPlan((0, -5), 0, [Strip(0, plain(0.2, 0.2, 0.2))], [], plain(0.5, 0.5, 0.5, 0.5))
    targets = np.array(points, np.float32)
    rays = (targets - EYE) / -targets[:, 2:]
    return Scenery(grey, flats, shade(), haze).meet(Rays(EYE, rays, 0.001))


def at(*points: tuple[float, float, float]) -> np.ndarray:
    return np.array(points, np.float32)


def test_a_wall_hides_the_ground_behind_it_and_shows_its_texture() -> None:
    wall = Flat(0, -8, 0, -3, 3, plain(0.0, 0.5, 0.0), opaque=True)
    ground = meet([wall], (1, 0, -12), (1, 0, -6), (5, 0, -12))
    np.testing.assert_allclose(ground.points[:, 2], [-8, -6, -12], atol=1e-3)
    np.testing.assert_allclose(ground.normals, [(0, 0, 1), (0, 1, 0), (0, 1, 0)], atol=1e-6)
    np.testing.assert_allclose(ground.albedo[0], [0, 0.5, 0], atol=0.005)
    np.testing.assert_allclose(ground.albedo[1:], 0.2, atol=0.005)


def test_a_screen_shows_what_is_behind_its_gaps() -> None:
    wall = Flat(0, -12, 0, -60, 60, plain(0.0, 0.5, 0.0), opaque=True)
    screen = Flat(0, -8, 0, -3, 3, half_open(), opaque=False)
    ground = meet([screen, wall], (0, 1.0, -8), (0, 2.2, -8), (4, 1.0, -8))
    np.testing.assert_allclose(ground.albedo[0], [0.6, 0, 0], atol=0.01)
    np.testing.assert_allclose(ground.albedo[1:], [[0, 0.5, 0]] * 2, atol=0.01)
    np.testing.assert_allclose(ground.points[:, 2], [-8, -12, -12], atol=1e-3)


def test_a_screen_ends_at_the_height_of_its_texture() -> None:
    screen = Flat(0, -8, 0, -3, 3, plain(0.6, 0.0, 0.0, 1.0), opaque=False)
    wall = Flat(0, -12, 0, -60, 60, plain(0.0, 0.5, 0.0), opaque=True)
    below, above = meet([screen, wall], (0, 3.1, -8), (0, 3.3, -8)).albedo
    np.testing.assert_allclose(below, [0.6, 0, 0], atol=0.01)
    np.testing.assert_allclose(above, [0, 0.5, 0], atol=0.01)


def test_the_nearer_of_two_screens_is_in_front_in_any_order() -> None:
    near = Flat(0, -6, 0, -3, 3, plain(0.6, 0.0, 0.0, 1.0), opaque=False)
    far = Flat(0, -8, 0, -3, 3, plain(0.0, 0.6, 0.0, 1.0), opaque=False)
    for flats in ([near, far], [far, near]):
        np.testing.assert_allclose(meet(flats, (0, 1, -8)).albedo[0], [0.6, 0, 0], atol=0.01)


def test_haze_fades_far_things_to_grey() -> None:
    near, far = meet([], (0, 0, -5), (0, 0, -50), haze=0.8).albedo[:, 0]
    assert 0.2 < near < 0.23
    assert abs(far - (0.2 + 0.3 * 0.4)) < 0.005


def test_a_prop_casts_a_shadow_away_from_the_sun_but_not_on_people() -> None:
    post = box((0.5, 2.0, 0.5), (2.0, 1.0, -10.0), CONCRETE)
    spots = at((1.0, 0, -10), (3.0, 0, -10), (1.0, 0, -12), (1.0, 1.9, -10))
    np.testing.assert_allclose(shade([post]).lit_behind(spots), [0, 1, 1, 1], atol=0.02)
    np.testing.assert_allclose(shade([post]).lit(spots), 1, atol=0.005)


def test_props_and_walls_hide_part_of_the_sky_from_the_ground_near_them() -> None:
    post = box((0.5, 2.0, 0.5), (2.0, 1.0, -10.0), CONCRETE)
    wall = Flat(0, -20, 0, -2, 2, plain(0.5, 0.5, 0.5), opaque=True)
    below, beside, away, foot, before = shade([post], [wall]).open_sky(
        at((2, 0, -10), (2.4, 0, -10), (5, 0, -10), (0, 0, -19.95), (0, 0, -17))
    )
    assert below < beside < away
    assert away > 0.98
    assert foot < 0.6
    assert before > 0.97
