"""Shots of a benchmark, each from its own random stream."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.names import DISTRACTOR, JUNK
from pipeline.errors import InputError
from pipeline.synthetic.plan import QUERY, TEST, TRAIN, Shot
from pipeline.synthetic.studio import Studio, _half
from pipeline.world import crops as crops_module
from pipeline.world.crops import Crop
from tests.synthetic.conftest import BODY, OPTIONS


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(BODY, OPTIONS)


def same(one: Crop, other: Crop) -> bool:
    return np.array_equal(one.image, other.image) and np.array_equal(one.labels, other.labels)


def test_order_of_the_shots_does_not_change_them(studio: Studio) -> None:
    shots = [Shot(TRAIN, 1, 0), Shot(QUERY, 4, 1, "person"), Shot(TEST, DISTRACTOR, 2)]
    first = [studio.take(shot, frame) for frame, shot in enumerate(shots)]
    other = Studio(BODY, OPTIONS)
    again = [other.take(shots[frame], frame) for frame in (2, 1, 0)]
    assert all(same(*pair) for pair in zip(first, reversed(again), strict=True))


def test_another_seed_or_frame_gives_another_image(studio: Studio) -> None:
    other = Studio(BODY, OPTIONS.model_copy(update={"seed": 6}))
    shot = Shot(TRAIN, 1, 0)
    assert not same(other.take(shot, 0), studio.take(shot, 0))
    assert not same(studio.take(shot, 1), studio.take(shot, 0))


def test_obstacles_are_shared_between_cameras(studio: Studio) -> None:
    seen: dict[str, set[int]] = {}
    for number, camera in enumerate(studio._cameras):
        for standing in camera.standing:
            seen.setdefault(standing.kind, set()).add(number)
    assert len(seen) == OPTIONS.obstacles
    assert max(len(cameras) for cameras in seen.values()) > 1


def test_occluding_person_is_another_identity_of_the_same_half(studio: Studio) -> None:
    rng = np.random.default_rng(0)
    for person, half in ((1, {1, 2}), (2, {1, 2}), (3, {3, 4, 5, 6}), (6, {3, 4, 5, 6})):
        others = {studio._other_identity(person, rng) for _ in range(60)}
        assert others == half - {person}


def test_junk_and_distractors_show_a_person_or_nobody(studio: Studio) -> None:
    crops = [
        studio.take(Shot(TEST, who, 0), frame) for who in (JUNK, DISTRACTOR) for frame in range(8)
    ]
    people = [bool((crop.instances == 1).any()) for crop in crops]
    assert 4 < sum(people) < 15
    assert [crop.visible > 0 for crop in crops] == people


def test_half_is_cut_from_all_arrays() -> None:
    labels = np.zeros((8, 4), np.uint8)
    labels[:, :2] = 3
    image = np.repeat(labels[..., None] * np.uint8(40), 3, axis=2)
    whole = Crop(image, labels, (labels > 0).astype(np.uint8), 1.0)
    shown = {_half(whole, np.random.default_rng(seed)).visible for seed in range(20)}
    assert shown == {0.0, 0.5, 1.0}  # right, upper or lower, left
    for seed in range(20):
        half = _half(whole, np.random.default_rng(seed))
        assert half.image.shape == image.shape
        assert np.array_equal(half.labels > 0, half.instances > 0)
        assert half.image.mean() == pytest.approx(40 * half.labels.mean(), abs=10)


@pytest.mark.parametrize("shot", [Shot(QUERY, 4, 1, "obstacle"), Shot(TEST, JUNK, 1)])
def test_a_camera_without_room_is_named(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, shot: Shot
) -> None:
    monkeypatch.setattr(crops_module, "_TRIES", 0)
    with pytest.raises(InputError, match=r"^benchmark\.seed: camera 2 has no spot .*another seed"):
        studio.take(shot, 0)
