from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from pipeline.synthetic.cameras import (
    Camera,
    make_camera,
    make_cameras,
    patch_shares,
    render,
)
from pipeline.synthetic.people import OCCLUDER, PARTS, draw_identity

TOP = PARTS.index("top")


@pytest.fixture(scope="module")
def cameras() -> list[Camera]:
    return make_cameras(np.random.default_rng(0), count=6, obstacles=8, per_camera=3)


def neutral(camera: Camera) -> Camera:
    """The same view in plain light, sharp and without noise."""
    return dataclasses.replace(camera, cast=np.ones(3), bias=0.0, blur=0.0, noise=0.0)


def test_an_unoccluded_person_is_all_visible(cameras: list[Camera]):
    rng = np.random.default_rng(0)
    for camera in cameras:
        rendered = render(draw_identity(rng), camera, rng)
        assert rendered.image.shape == (128, 64, 3)
        assert rendered.image.dtype == rendered.labels.dtype == np.uint8
        assert rendered.labels.shape == (128, 64)
        assert rendered.visible == 1
        assert rendered.labels.max() < OCCLUDER
        assert 0.05 < (rendered.labels > 0).mean() < 0.7


@pytest.mark.parametrize("occlusion", ["obstacle", "person", "free"])
def test_occluded_people_are_visible_within_the_range(cameras: list[Camera], occlusion: str):
    rng = np.random.default_rng(1)
    for camera in cameras:
        rendered = render(draw_identity(rng), camera, rng, occlusion, draw_identity(rng))
        assert 0.3 <= rendered.visible <= 0.7
        assert (rendered.labels == OCCLUDER).any()


def test_top_pixels_show_the_colour_of_the_top(cameras: list[Camera]):
    rng = np.random.default_rng(2)
    seen: dict[int, np.ndarray] = {}
    for person in (draw_identity(rng) for _ in range(200)):
        if person.attributes["pattern"] != 0:
            continue
        rendered = render(person, neutral(cameras[0]), rng)
        colour = np.median(rendered.image[rendered.labels == TOP], 0)
        # The light varies by 15 % from image to image.
        assert np.all(np.abs(colour - person.colours["top"]) <= 0.17 * colour + 2)
        seen[person.attributes["top"]] = colour
    assert len(seen) == 5
    for first in seen:
        for second in set(seen) - {first}:
            assert np.abs(seen[first] - seen[second]).sum() > 60


def test_occluder_labels_are_where_the_obstacle_is(cameras: list[Camera]):
    """With a red obstacle, red pixels are the ones with the occluder's label."""
    camera = neutral(cameras[0])
    red = []
    for standing in camera.standing:
        pixels = np.array(standing.obstacle.sprite)
        pixels[..., :3] = [255, 0, 0]
        sprite = Image.fromarray(pixels)
        obstacle = dataclasses.replace(standing.obstacle, sprite=sprite)
        red.append(dataclasses.replace(standing, obstacle=obstacle))
    camera = dataclasses.replace(camera, standing=tuple(red))
    rng = np.random.default_rng(3)
    for _ in range(10):
        rendered = render(draw_identity(rng), camera, rng, "obstacle")
        values = rendered.image.astype(int)
        is_red = (values[..., 0] > 200) & (values[..., 1] < 5) & (values[..., 2] < 5)
        agree = is_red == (rendered.labels == OCCLUDER)
        assert agree.mean() > 0.95  # the outline's pixels are mixed


def test_most_obstacles_stand_in_several_cameras(cameras: list[Camera]):
    stands = Counter(id(place.obstacle) for camera in cameras for place in camera.standing)
    assert len(stands) == 8
    assert sum(count > 1 for count in stands.values()) >= 6
    for camera in cameras:
        assert len({id(place.obstacle) for place in camera.standing}) == 3


def test_an_obstacle_stays_in_its_place(cameras: list[Camera]):
    """Before different people it covers nearly the same pixels; a free object does not."""

    def overlap(camera: Camera, occlusion: Literal["obstacle", "free"]) -> float:
        rng = np.random.default_rng(4)
        people = [draw_identity(rng) for _ in range(8)]
        masks = [render(p, camera, rng, occlusion).labels == OCCLUDER for p in people]
        pairs = itertools.combinations(masks, 2)
        return float(np.mean([(a & b).sum() / (a | b).sum() for a, b in pairs]))

    for camera in cameras[:3]:
        one = dataclasses.replace(camera, standing=camera.standing[:1])
        assert overlap(one, "obstacle") > overlap(one, "free") + 0.2


def test_the_same_generator_takes_the_same_image(cameras: list[Camera]):
    person = draw_identity(np.random.default_rng(5))
    first, again, other = (
        render(person, cameras[1], np.random.default_rng(seed), "obstacle") for seed in (1, 1, 2)
    )
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.labels, again.labels)
    assert not np.array_equal(first.image, other.image)


def test_an_impossible_occlusion_is_an_error(cameras: list[Camera]):
    rng = np.random.default_rng(6)
    with pytest.raises(RuntimeError, match="visible"):
        render(draw_identity(rng), cameras[0], rng, "obstacle", visible_range=(0.99, 0.98))
    with pytest.raises(ValueError, match="other"):
        render(draw_identity(rng), cameras[0], rng, "person")


def test_a_camera_without_obstacles_takes_free_ones():
    rng = np.random.default_rng(7)
    rendered = render(draw_identity(rng), make_camera(rng), rng, "free", visible_range=None)
    assert (rendered.labels == OCCLUDER).any()


@pytest.mark.parametrize("patch", [8, 16])
def test_patch_shares_count_labels(patch: int):
    labels = np.random.default_rng(0).integers(0, 8, (32, 48), dtype=np.uint8)
    shares = patch_shares(labels, patch)
    assert shares.dtype == np.float32
    assert shares.shape == (32 * 48 // patch**2, 8)
    index = 0
    for y in range(0, 32, patch):
        for x in range(0, 48, patch):
            tile = labels[y : y + patch, x : x + patch]
            expected = [(tile == part).mean() for part in range(8)]
            assert np.allclose(shares[index], expected)
            index += 1
