"""Scenes of several objects, with exact instance masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.world.geometry import Geometry
from pipeline.world.objects import KINDS
from pipeline.world.scenes import EASY_OVERLAP, HARD_OVERLAP, Scene, SceneMaker, _fits, _view
from tests.world.test_renderer import board

BODY = Path("workflow/body/body.npz")
SIZE = 64


@pytest.fixture(scope="module")
def make() -> SceneMaker:
    return SceneMaker(BODY, [3], SIZE)


@pytest.fixture(scope="module")
def scenes(make: SceneMaker) -> list[Scene]:
    return [make(index) for index in range(8)]


def test_instances_are_numbered_as_the_kinds_are(scenes: list[Scene]) -> None:
    for index, scene in enumerate(scenes):
        assert scene.image.shape == (SIZE, SIZE, 3)
        assert scene.instances.shape == (SIZE, SIZE)
        assert scene.image.dtype == scene.instances.dtype == np.uint8
        assert np.array_equal(np.unique(scene.instances), np.arange(len(scene.kinds) + 1))
        objects = [kind for kind in scene.kinds if kind != "prop"]
        assert len(objects) <= (6 if index % 2 else 4)
        assert set(objects) <= {*KINDS, "person"}
    assert any("person" in scene.kinds for scene in scenes)


def test_hard_scenes_have_more_objects(scenes: list[Scene]) -> None:
    easy, hard = (sum(len(scene.kinds) for scene in scenes[start::2]) for start in (0, 1))
    assert hard > easy


def test_what_belongs_to_the_place_has_masks_too(scenes: list[Scene]) -> None:
    easy, hard = (sum(scene.kinds.count("prop") for scene in scenes[start::2]) for start in (0, 1))
    assert easy == 0
    assert hard > 0


def test_instances_agree_with_the_image(scenes: list[Scene]) -> None:
    """Neighbouring pixels differ more across the outline of an object than elsewhere."""
    ratios = []
    for scene in scenes:
        step = np.abs(np.diff(scene.image.astype(int), axis=1)).sum(-1)
        outline = np.diff(scene.instances.astype(int), axis=1) != 0
        ratios.append(step[outline].mean() / step[~outline].mean())
    assert np.median(ratios) > 1.8


def test_a_scene_follows_from_its_seed_and_number(make: SceneMaker, scenes: list[Scene]) -> None:
    """Whatever was rendered before it."""
    again, other = SceneMaker(BODY, [3], SIZE)(7), SceneMaker(BODY, [4], SIZE)(7)
    assert np.array_equal(again.image, scenes[7].image)
    assert np.array_equal(again.instances, scenes[7].instances)
    assert not np.array_equal(other.image, again.image)
    assert len({scene.image.tobytes() for scene in scenes}) == len(scenes)


@pytest.mark.parametrize("overlap", [EASY_OVERLAP, HARD_OVERLAP])
def test_no_object_is_hidden_by_more_than_the_bound(overlap: float) -> None:
    """Two boards, the nearer one moved aside until it hides little enough."""
    view = _view(np.float32([0, 3, 0]), 10, 3.0, np.random.default_rng(0))
    far = board(0, -10, 1, 1.5)
    accepted = []
    for x in np.linspace(0, 1, 21):
        things = [far, board(float(x), -9.5, 1, 1.5)]
        hidden = 1 - Geometry(view, things).visible_fraction(0)
        assert _fits(view, things, overlap) == (hidden <= overlap)
        accepted.append(hidden <= overlap)
    assert 0 < sum(accepted) < 21


def test_an_object_that_is_not_in_the_picture_does_not_fit() -> None:
    view = _view(np.float32([0, 3, 0]), 10, 3.0, np.random.default_rng(0))
    assert _fits(view, [board(0, -10, 1, 1.5)], EASY_OVERLAP)
    assert not _fits(view, [board(30, -10, 1, 1.5)], EASY_OVERLAP)
    assert not _fits(view, [board(0, -10, 0.03, 0.1)], EASY_OVERLAP)
