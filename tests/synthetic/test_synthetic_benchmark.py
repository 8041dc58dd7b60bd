from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import InputError
from pipeline.options.drawn import BenchmarkOptions
from pipeline.provenance import code_hash
from pipeline.synthetic.benchmark import QUERY, TEST, TRAIN, WHOLE_QUERY, draw_benchmark, plan_shots
from pipeline.synthetic.people import OCCLUDER

NAME = re.compile(r"(query|query_whole_body|bounding_box_\w+)/(-1|\d{4})_c(\d)s\d_\d{6}_\d\d\.jpg")
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


class Drawn(NamedTuple):
    archive: Path
    truth_file: Path
    names: list[str]
    truth: dict[str, np.ndarray]

    def image(self, name: str) -> np.ndarray:
        with zipfile.ZipFile(self.archive) as file:
            data = file.read(f"Synthetic-Occluded/{name}")
        return np.asarray(Image.open(io.BytesIO(data)))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    folder = tmp_path_factory.mktemp("benchmark")
    archive, truth = folder / "benchmark.zip", folder / "truth.npz"
    draw_benchmark(archive, truth, OPTIONS)
    with zipfile.ZipFile(archive) as file:
        names = [name.removeprefix("Synthetic-Occluded/") for name in file.namelist()]
    with np.load(truth) as arrays:
        return Drawn(archive, truth, names, dict(arrays))


def parsed(names: list[str]) -> list[tuple[str, int, int]]:
    """(folder, person, camera) of each name; fails on a name that is not Market-1501's."""
    matches = [NAME.fullmatch(name) for name in names]
    assert all(matches)
    return [(match[1], int(match[2]), int(match[3])) for match in matches]


def test_same_options_same_bytes(drawn: Drawn, tmp_path: Path):
    draw_benchmark(tmp_path / "a.zip", tmp_path / "t.npz", OPTIONS)
    assert (tmp_path / "a.zip").read_bytes() == drawn.archive.read_bytes()
    assert (tmp_path / "t.npz").read_bytes() == drawn.truth_file.read_bytes()


def test_the_archive_says_how_it_was_drawn(drawn: Drawn):
    with zipfile.ZipFile(drawn.archive) as file:
        said = json.loads(file.comment)
    assert BenchmarkOptions.model_validate(said["options"]) == OPTIONS
    assert said["code"] == code_hash("pipeline.synthetic.benchmark")


def test_another_seed_draws_other_images(drawn: Drawn, tmp_path: Path):
    few = {"train_identities": 2, "test_identities": 2, "gallery_only_identities": 0}
    archives = []
    for seed in (1, 2):
        options = BenchmarkOptions(seed=seed, junk_images=0, distractor_images=0, **few)
        draw_benchmark(tmp_path / "a.zip", tmp_path / "t.npz", options)
        archives.append((tmp_path / "a.zip").read_bytes())
    assert archives[0] != archives[1]


def test_folders_hold_what_was_asked(drawn: Drawn):
    images = parsed(drawn.names)
    assert len(set(drawn.names)) == len(drawn.names)
    people = {
        folder: Counter(p for f, p, _ in images if f == folder)
        for folder in (TRAIN, QUERY, TEST, WHOLE_QUERY)
    }
    assert people[TRAIN] == Counter(dict.fromkeys(range(1, 13), 5))
    assert people[QUERY] == Counter(dict.fromkeys(range(13, 33), 2))
    assert people[WHOLE_QUERY] == Counter(range(13, 33))
    assert people[TEST] == Counter(dict.fromkeys(range(13, 38), 4)) + Counter({-1: 6, 0: 8})
    assert {camera for _, _, camera in images} <= set(range(1, 7))


def test_every_query_has_a_match_in_another_camera(drawn: Drawn):
    images, cameras = parsed(drawn.names), defaultdict(set)
    for folder, person, camera in images:
        if folder == TEST:
            cameras[person].add(camera)
    for folder, person, camera in images:
        if folder in (QUERY, WHOLE_QUERY):
            assert cameras[person] - {camera}


def test_truth_lists_every_image_in_order(drawn: Drawn):
    assert drawn.truth["name"].tolist() == drawn.names
    assert drawn.truth["labels"].shape == (len(drawn.names), 128, 64)
    assert drawn.truth["labels"].dtype == np.uint8


def test_shares_of_occluded_images(drawn: Drawn):
    images = parsed(drawn.names)
    kinds = {
        folder: drawn.truth["occlusion"][[f == folder and p > 0 for f, p, _ in images]]
        for folder in (TRAIN, QUERY, TEST, WHOLE_QUERY)
    }
    assert (kinds[QUERY] > 0).all()
    assert (kinds[WHOLE_QUERY] == 0).all()
    assert np.mean(kinds[QUERY] == 2) == pytest.approx(0.35, abs=0.02)
    assert np.mean(kinds[TEST] > 0) == pytest.approx(0.13, abs=0.01)
    assert np.mean(kinds[TRAIN] > 0) == pytest.approx(0.1, abs=0.01)


def test_visible_shares_agree_with_labels(drawn: Drawn):
    visible, occlusion = drawn.truth["visible"], drawn.truth["occlusion"]
    assert np.all((visible[occlusion > 0] >= 0.3) & (visible[occlusion > 0] <= 0.7))
    people = np.array([p > 0 for _, p, _ in parsed(drawn.names)])
    assert np.all(visible[people & (occlusion == 0)] == 1)
    covered = (drawn.truth["labels"] == OCCLUDER).any((1, 2))
    assert np.array_equal(covered[people], occlusion[people] > 0)


def test_images_are_the_labelled_ones(drawn: Drawn):
    """The labels' outline is where the image changes, in sharp and blurred cameras alike."""
    ratios = []
    for index in range(0, 60, 3):
        image = drawn.image(drawn.names[index])
        assert image.shape == (128, 64, 3)
        labels = drawn.truth["labels"][index]
        step = np.abs(np.diff(image.astype(int), axis=1)).sum(-1)
        outline = np.diff((labels > 0).astype(int), axis=1) != 0
        ratios.append(step[outline].mean() / step[~outline].mean())
    assert np.median(ratios) > 2


def test_one_obstacle_hides_different_people_in_several_cameras():
    """The plan pairs every camera's obstacles with many people."""
    shots = [shot for shot in plan_shots(BenchmarkOptions()) if shot.occlusion == "obstacle"]
    people = defaultdict(set)
    for shot in shots:
        people[shot.camera].add(shot.person)
    assert sorted(people) == list(range(6))
    assert min(len(seen) for seen in people.values()) > 20


def test_whole_body_queries_change_no_other_shot():
    without, one, three = (
        plan_shots(BenchmarkOptions(whole_queries_per_identity=number)) for number in (0, 1, 3)
    )
    assert WHOLE_QUERY not in {shot.folder for shot in without}
    assert one[: len(without)] == three[: len(without)] == without
    seen = {(shot.person, shot.camera) for shot in three[len(without) :]}
    assert len(seen) == len(three) - len(without) == 600  # each of another camera


def test_the_default_is_as_hard_as_described():
    shots = plan_shots(BenchmarkOptions())
    gallery = [shot for shot in shots if shot.folder == TEST and shot.person > 0]
    assert 0.10 <= np.mean([shot.occlusion is not None for shot in gallery]) <= 0.15
    queries = [shot for shot in shots if shot.folder == QUERY]
    assert len(queries) == 400
    assert all(shot.occlusion for shot in queries)


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"gallery_images": 7}, "gallery_images"),
        ({"queries_per_identity": 7}, "queries_per_identity"),
        ({"whole_queries_per_identity": 7}, "whole_queries_per_identity"),
        ({"obstacles_per_camera": 9}, "obstacles_per_camera"),
        ({"test_identities": 1}, "test_identities"),
        ({"gallery_images": 1}, "gallery_images"),  # some query has only its own camera's image
    ],
)
def test_options_that_cannot_be_met_are_named(tmp_path: Path, changed: dict[str, int], key: str):
    with pytest.raises(InputError, match=f"benchmark.{key}"):
        draw_benchmark(tmp_path / "a.zip", tmp_path / "t.npz", BenchmarkOptions(**changed))
    assert not list(tmp_path.iterdir())


def test_a_camera_whose_obstacle_hides_too_little_is_named(tmp_path: Path):
    options = BenchmarkOptions(
        seed=2, obstacles_per_camera=1, train_identities=2, person_occluders=0.0, test_identities=20
    )
    with pytest.raises(InputError, match=r"no obstacle of camera \d.*obstacles_per_camera"):
        draw_benchmark(tmp_path / "a.zip", tmp_path / "t.npz", options)
    assert not list(tmp_path.iterdir())
