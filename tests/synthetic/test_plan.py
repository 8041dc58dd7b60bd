"""The planned images of a benchmark."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from pipeline.data.names import DISTRACTOR, JUNK
from pipeline.errors import InputError
from pipeline.options.rendered import BenchmarkOptions
from pipeline.synthetic.plan import QUERY, TEST, TRAIN, WHOLE_BODY, Shot, plan_shots

FOLDERS = (TRAIN, QUERY, TEST, WHOLE_BODY)
OPTIONS = BenchmarkOptions(
    seed=5,
    train_identities=12,
    train_images=5,
    train_occluded=0.1,
    test_identities=20,
    gallery_only_identities=5,
    junk_images=6,
    distractor_images=8,
)


@pytest.fixture(scope="module")
def shots() -> list[Shot]:
    return plan_shots(OPTIONS)


def test_folders_have_the_numbers_of_images_of_the_options(shots: list[Shot]) -> None:
    people = {
        folder: Counter(shot.person for shot in shots if shot.folder == folder)
        for folder in FOLDERS
    }
    assert people[TRAIN] == Counter(dict.fromkeys(range(1, 13), 5))
    assert people[QUERY] == Counter(dict.fromkeys(range(13, 33), 2))
    assert people[WHOLE_BODY] == Counter(range(13, 33))
    strangers = Counter({JUNK: 6, DISTRACTOR: 8})
    assert people[TEST] == Counter(dict.fromkeys(range(13, 38), 4)) + strangers
    assert {shot.camera for shot in shots} <= set(range(6))


def test_counts_of_the_options_match_the_plan(shots: list[Shot]) -> None:
    """Junk is not counted: ingest drops it."""
    splits = dict(zip(("train", "query", "gallery", "whole_query"), FOLDERS, strict=True))
    for split, folder in splits.items():
        people = [shot.person for shot in shots if shot.folder == folder and shot.person != JUNK]
        counts = OPTIONS.counts()[split]
        assert (counts.identities, counts.images) == (len(set(people)), len(people))


def test_fractions_of_occluded_images_are_exact(shots: list[Shot]) -> None:
    kinds = {
        folder: [shot.occlusion for shot in shots if shot.folder == folder and shot.person > 0]
        for folder in FOLDERS
    }
    assert None not in kinds[QUERY]
    assert set(kinds[WHOLE_BODY]) == {None}
    assert kinds[QUERY].count("person") == round(0.35 * 40)
    assert len(kinds[TEST]) - kinds[TEST].count(None) == round(0.13 * 100)
    assert len(kinds[TRAIN]) - kinds[TRAIN].count(None) == round(0.1 * 60)


def test_plan_depends_on_the_seed(shots: list[Shot]) -> None:
    assert plan_shots(OPTIONS) == shots
    assert plan_shots(OPTIONS.model_copy(update={"seed": 6})) != shots


def test_whole_body_queries_change_no_other_shot() -> None:
    without, one, three = (
        plan_shots(BenchmarkOptions(whole_queries_per_identity=number)) for number in (0, 1, 3)
    )
    assert WHOLE_BODY not in {shot.folder for shot in without}
    assert one[: len(without)] == three[: len(without)] == without
    seen = {(shot.person, shot.camera) for shot in three[len(without) :]}
    assert len(seen) == len(three) - len(without) == 600  # each of another camera


def test_default_has_the_documented_occlusion() -> None:
    shots = plan_shots(BenchmarkOptions())
    gallery = [shot for shot in shots if shot.folder == TEST and shot.person > 0]
    assert 0.10 <= np.mean([shot.occlusion is not None for shot in gallery]) <= 0.15
    queries = [shot for shot in shots if shot.folder == QUERY]
    assert len(queries) == 400
    assert all(shot.occlusion for shot in queries)


def test_obstacles_of_a_camera_occlude_many_people() -> None:
    people = defaultdict(set)
    for shot in plan_shots(BenchmarkOptions()):
        if shot.occlusion == "obstacle":
            people[shot.camera].add(shot.person)
    assert sorted(people) == list(range(6))
    assert min(len(seen) for seen in people.values()) > 20


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"gallery_images": 7}, "gallery_images"),
        ({"queries_per_identity": 7}, "queries_per_identity"),
        ({"whole_queries_per_identity": 7}, "whole_queries_per_identity"),
        ({"obstacles_per_camera": 9}, "obstacles_per_camera"),
        ({"train_identities": 1}, "train_identities"),
        ({"test_identities": 1}, "test_identities"),
        ({"gallery_images": 1}, "gallery_images"),  # some query has only its own camera's image
    ],
)
def test_impossible_options_are_named(changed: dict[str, int], key: str) -> None:
    with pytest.raises(InputError, match=f"^benchmark.{key}: "):
        plan_shots(BenchmarkOptions(**changed))
