from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.world.flats import Flat
from pipeline.world.places import Place, draw_place
from pipeline.world.view import Framing, Rays, View

SIZE = (32, 16)


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def places() -> list[Place]:
    return [draw_place(rng(1, number)) for number in range(6)]


def view_of(place: Place, x: float, z: float) -> View:
    """The crop around somebody of 1.75 m at (x, z)."""
    corners = np.array([[x - 0.3, 0, z], [x + 0.3, 1.75, z]], np.float32)
    return View.around(corners, place.eye, SIZE, Framing())


def backdrop(place: Place, x: float, z: float) -> np.ndarray:
    """(N, 3) albedo of the pixels of that crop."""
    view = view_of(place, x, z)
    return place.scenery.meet(view.rays(np.arange(SIZE[0] * SIZE[1]))).albedo


def nearest_flat(place: Place, ray: np.ndarray) -> tuple[float, Flat | None]:
    """Depth and flat that a ray meets first before the ground, by plain arithmetic."""
    eye = [float(v) for v in place.eye]
    direction = [float(v) for v in ray]
    best, found = -eye[1] / direction[1], None
    for flat in place.scenery.flats:
        if not flat.opaque:
            continue
        normal = (math.sin(flat.yaw), math.cos(flat.yaw))
        towards = direction[0] * normal[0] + direction[2] * normal[1]
        depth = ((flat.x - eye[0]) * normal[0] + (flat.z - eye[2]) * normal[1]) / towards
        x, z = eye[0] + depth * direction[0] - flat.x, eye[2] + depth * direction[2] - flat.z
        along = x * normal[1] - z * normal[0]
        if 0 < depth < best and flat.start < along < flat.end:
            best, found = depth, flat
    return best, found


def test_same_seed_same_bytes(places: list[Place]) -> None:
    again = draw_place(rng(1, 0))
    spot = places[0].draw_standpoint(rng(5))
    assert again.draw_standpoint(rng(5)) == spot
    first, second = (backdrop(place, spot.x, spot.z) for place in (places[0], again))
    assert first.tobytes() == second.tobytes()
    assert [len(prop.vertices) for prop in again.props] == [
        len(p.vertices) for p in places[0].props
    ]


def test_ground_and_walls_are_met_where_geometry_says(places: list[Place]) -> None:
    met = set()
    for number, place in enumerate(places):
        spot = place.draw_standpoint(rng(2, number))
        view = view_of(place, spot.x, spot.z)
        rays = view.rays(np.arange(0, SIZE[0] * SIZE[1], 37))
        solid = [flat for flat in place.scenery.flats if flat.opaque]
        scenery = type(place.scenery)(place.scenery.plan, solid, place.scenery.shade, 0.0)
        ground = scenery.meet(rays)
        for ray, point, normal in zip(rays.directions, ground.points, ground.normals, strict=True):
            depth, flat = nearest_flat(place, ray)
            np.testing.assert_allclose(point, place.eye + depth * ray, rtol=1e-4, atol=2e-3)
            np.testing.assert_allclose(normal, flat.normal if flat else (0, 1, 0), atol=1e-6)
            met.add(flat is None)
    assert met == {True, False}


def test_crops_of_one_place_are_more_alike_than_crops_of_two(places: list[Place]) -> None:
    means = np.array(
        [[backdrop(place, spot.x, spot.z).mean(0) for spot in _spots(place, 6)] for place in places]
    )
    within = means.std(1).mean()
    between = means.mean(1).std(0).mean()
    assert between > 1.3 * within


def _spots(place: Place, count: int) -> list[tuple]:
    return [place.draw_standpoint(rng(7, number)) for number in range(count)]


def test_albedo_is_a_fraction_and_has_structure(places: list[Place]) -> None:
    for place in places:
        spot = place.draw_standpoint(rng(3))
        albedo = backdrop(place, spot.x, spot.z)
        assert albedo.dtype == np.float32
        assert albedo.min() >= 0
        assert albedo.max() <= 1
        assert albedo.std(0).min() > 0.003


def test_people_stand_before_the_camera_and_before_all_props(places: list[Place]) -> None:
    for place in places:
        for spot in _spots(place, 30):
            assert -19 < spot.z < -5
            assert abs(spot.x) < 8
            view = view_of(place, spot.x, spot.z)
            chest = np.array([[spot.x, 1.2, spot.z]], np.float32)
            depth = view.project(chest)[0, 2]
            for flat in place.scenery.flats:
                ray = (chest - place.eye) / depth
                reached = flat.depth(Rays(place.eye, ray.astype(np.float32), 0.01))[0]
                assert not 0.5 < reached < depth - 0.2
            for prop in place.props:
                low = prop.vertices[prop.vertices[:, 1] < 2][:, [0, 2]]
                assert np.hypot(*(low - (spot.x, spot.z)).T).min() > 0.1


def test_no_rays_meet_nothing(places: list[Place]) -> None:
    ground = places[0].scenery.meet(Rays(places[0].eye, np.zeros((0, 3), np.float32), 0.001))
    assert ground.points.shape == ground.albedo.shape == (0, 3)


def test_light_varies_between_moments_but_not_its_direction(places: list[Place]) -> None:
    for place in places:
        moments = [place.light_at(rng(number)) for number in range(8)]
        assert len({float(light.sky[1]) for light in moments}) == 8
        assert all((light.direction == place.light.direction).all() for light in moments)
        ratio = np.array([float(light.sky[1] / place.light.sky[1]) for light in moments])
        assert (np.abs(ratio - 1) < 0.25).all()


def test_the_sun_reaches_parts_of_some_places(places: list[Place]) -> None:
    points = rng(4).uniform((-8, 0, -20), (8, 2, -6), (500, 3)).astype(np.float32)
    lit = np.stack([place.scenery.lit(points) for place in places])
    assert lit.min() >= 0
    assert lit.max() < 1.00001
    assert lit.mean() > 0.2
    assert (lit.std(1) > 0.1).any()
    for place, here in zip(places, lit, strict=True):
        assert (place.scenery.shade.lit_behind(points) <= here + 0.005).all()


def test_textures_are_small(places: list[Place]) -> None:
    for place in places:
        plan = place.scenery.plan
        textures = [item.texture for item in (*plan.strips, *plan.marks, *place.scenery.flats)]
        different = {id(texture): texture for texture in textures}
        assert sum(texture.nbytes for texture in different.values()) < 15e6
