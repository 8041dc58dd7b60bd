"""Crops of people: what hides them, and that their masks agree with each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.world import crops as crops_module
from pipeline.world.body import Body
from pipeline.world.cameras import Camera, Obstacle, draw_camera, draw_obstacles, hides, meets
from pipeline.world.crops import VISIBLE, Crop, NoRoomError, Occlusion, render_crop
from pipeline.world.geometry import Geometry
from pipeline.world.objects import Spot, overlap
from pipeline.world.people import draw_identity
from pipeline.world.person import Person
from pipeline.world.surfaces import PART

SIZE = (64, 32)
SEEDS = range(6)
OCCLUSIONS: tuple[Occlusion, ...] = (None, "obstacle", "person")


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng([12, *seed])


@pytest.fixture(scope="module")
def people() -> list[Person]:
    body = Body.load(Path("workflow/body/body.npz"))
    return [Person(body, draw_identity(rng(number))) for number in range(2)]


@pytest.fixture(scope="module")
def obstacles() -> list[Obstacle]:
    return draw_obstacles(rng(2), 3)


@pytest.fixture(scope="module")
def camera(obstacles: list[Obstacle]) -> Camera:
    return draw_camera(rng(3), obstacles)


@pytest.fixture(scope="module")
def crops(camera: Camera, people: list[Person]) -> dict[Occlusion, list[Crop]]:
    """Some crops of the first person for each occlusion."""
    return {
        occlusion: [
            render_crop(camera, rng(4, seed), SIZE, people[0], occlusion, people[1])
            for seed in SEEDS
        ]
        for occlusion in OCCLUSIONS
    }


def nearer(crop: Crop) -> np.ndarray:
    """(H, W) bool: pixels of what is before the person."""
    return crop.labels == PART["obstacle"]


def test_arrays_have_the_size_that_was_asked_for(crops: dict[Occlusion, list[Crop]]) -> None:
    for crop in [crop for some in crops.values() for crop in some]:
        assert crop.image.shape == (*SIZE, 3)
        assert crop.labels.shape == crop.instances.shape == SIZE
        assert crop.image.dtype == crop.labels.dtype == crop.instances.dtype == np.uint8


def test_the_person_has_the_labels_of_parts_and_is_the_first_instance(
    crops: dict[Occlusion, list[Crop]],
) -> None:
    for crop in [crop for some in crops.values() for crop in some]:
        person = crop.instances == 1
        assert person.sum() > 50
        assert np.array_equal(person, (crop.labels > 0) & ~nearer(crop))
        assert (crop.instances[nearer(crop)] > 1).all()
        assert (crop.labels[crop.instances == 0] == 0).all()


def test_without_an_occlusion_nothing_is_before_the_person(
    crops: dict[Occlusion, list[Crop]],
) -> None:
    for crop in crops[None]:
        assert crop.visible >= 0.9
        assert nearer(crop).mean() < 0.15  # aside, at most


@pytest.mark.parametrize("occlusion", ["obstacle", "person"])
def test_what_hides_the_person_is_in_the_masks(
    crops: dict[Occlusion, list[Crop]], occlusion: Occlusion
) -> None:
    for crop in crops[occlusion]:
        assert VISIBLE[0] <= crop.visible <= VISIBLE[1]
        assert nearer(crop).mean() > 0.05
    assert len({crop.visible for crop in crops[occlusion]}) == len(SEEDS)


def test_the_obstacle_in_front_is_named(
    crops: dict[Occlusion, list[Crop]], camera: Camera, people: list[Person]
) -> None:
    assert {crop.obstacle for crop in crops["obstacle"]} <= {s.kind for s in camera.standing}
    for crop in crops[None]:
        assert (crop.obstacle is None) or nearer(crop).any()
    for standing in camera.standing:  # alone before its camera
        alone = replace(camera, standing=(standing,))
        hidden = render_crop(alone, rng(5), SIZE, people[0], "obstacle")
        assert hidden.obstacle == standing.kind


def test_the_same_seed_takes_the_same_crop(
    crops: dict[Occlusion, list[Crop]], camera: Camera, people: list[Person]
) -> None:
    again = render_crop(camera, rng(4, 1), SIZE, people[0], "obstacle", people[1])
    expected = crops["obstacle"][1]
    for name in ("image", "labels", "instances"):
        assert np.array_equal(getattr(again, name), getattr(expected, name))
    assert again.visible == expected.visible
    assert not np.array_equal(crops["obstacle"][0].image, expected.image)


def test_a_larger_crop_shows_the_same(camera: Camera, people: list[Person]) -> None:
    small, large = (
        render_crop(camera, rng(4, 2), size, people[0], "obstacle") for size in (SIZE, (128, 64))
    )
    assert large.visible == small.visible
    coarse = (large.instances == 1).reshape(64, 2, 32, 2).mean((1, 3))
    assert np.abs(coarse - (small.instances == 1)).mean() < 0.05


def test_a_crop_of_nobody_shows_no_person(camera: Camera) -> None:
    for occlusion in (None, "obstacle"):
        crop = render_crop(camera, rng(5), SIZE, None, occlusion)
        assert crop.visible == 0
        assert (crop.instances != 1).all()
        assert set(np.unique(crop.labels)) <= {0, PART["obstacle"]}


def test_a_camera_without_room_is_named(
    camera: Camera, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoRoomError, match="no room for an obstacle"):
        render_crop(Camera(camera.place, camera.sensor), rng(6), SIZE, people[0], "obstacle")
    monkeypatch.setattr(crops_module, "_TRIES", 2)
    monkeypatch.setattr(crops_module, "VISIBLE", (0.001, 0.002))
    with pytest.raises(NoRoomError, match=r"2 where 0% to 0% of a person .*\(occlusion: person\)"):
        render_crop(camera, rng(6), SIZE, people[0], "person", people[1])


def test_obstacles_are_large_enough_to_hide_somebody(obstacles: list[Obstacle]) -> None:
    assert len({obstacle.kind for obstacle in obstacles}) == len(obstacles)
    for obstacle in draw_obstacles(rng(8), 12):
        width, height, _ = np.ptp(obstacle.mesh.vertices, axis=0)
        assert height > 0.7
        assert width > 0.5


def test_obstacles_stand_apart_before_their_camera(camera: Camera) -> None:
    assert 1 < len(camera.standing) <= 3
    for number, one in enumerate(camera.standing):
        assert one.mesh.vertices[:, 2].max() < -2
        for other in camera.standing[number + 1 :]:
            assert not overlap(one.spot, other.spot)


@pytest.mark.parametrize("occlusion", OCCLUSIONS)
def test_visible_fraction_is_that_of_all_surfaces(
    camera: Camera, people: list[Person], occlusion: Occlusion
) -> None:
    """The test of bounding boxes leaves out only surfaces that hide nothing."""
    for seed in range(12):
        stream = rng(5, seed)
        standpoint = crops_module._standpoint(camera, stream, occlusion)
        scene = crops_module._compose(camera, stream, standpoint, people[0], occlusion, people[1])
        everything = Geometry(scene.view, scene.surfaces)
        foreground = Geometry(scene.view, scene.surfaces[: scene.foreground])
        assert crops_module._visible(scene) == foreground.visible_fraction(0, scene.own)
        assert everything.visible_fraction(0, scene.own) <= crops_module._visible(scene)


def test_an_obstacle_hides_those_behind_some_of_its_vertices(camera: Camera) -> None:
    stream = rng(6)
    for passer in (camera.place.draw_standpoint(stream) for _ in range(60)):
        for standing in camera.standing:
            x, _, z = standing.mesh.vertices.T
            sideways = x / z * passer.z - passer.x
            before = z.mean() > passer.z and sideways.min() < 0.25 and sideways.max() > -0.25
            assert hides(standing, passer) == (before or meets(standing, passer))
            near = overlap(Spot(passer.x, passer.z, 0, 0.25, 0.25), standing.spot)
            assert meets(standing, passer) == near
