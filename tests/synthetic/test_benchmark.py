"""The files and masks of a tiny benchmark."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.options.rendered import BenchmarkOptions
from pipeline.synthetic.benchmark import render_benchmark
from pipeline.synthetic.plan import OCCLUSIONS, TEST, Shot, plan_shots
from pipeline.synthetic.studio import Studio
from pipeline.world.crops import VISIBLE, Crop
from pipeline.world.surfaces import PART
from tests.synthetic.conftest import BODY, OPTIONS, Rendered


@pytest.mark.long
def test_two_processes_write_the_same_bytes(rendered: Rendered, tmp_path: Path) -> None:
    render_benchmark(BODY, tmp_path / "a.zip", tmp_path / "t.npz", OPTIONS, processes=2)
    assert (tmp_path / "a.zip").read_bytes() == rendered.archive.read_bytes()
    assert (tmp_path / "t.npz").read_bytes() == rendered.ground_truth.read_bytes()


def test_the_images_are_those_of_the_plan(rendered: Rendered) -> None:
    expected = [(shot.folder, shot.person, shot.camera + 1) for shot in plan_shots(OPTIONS)]
    assert [tuple(label) for label in rendered.labels] == expected
    assert len(set(rendered.names)) == len(rendered.names)
    assert {rendered.image(name).shape for name in rendered.names[::5]} == {(64, 32, 3)}


def test_ground_truth_lists_every_image_in_order(rendered: Rendered) -> None:
    arrays = rendered.arrays
    assert arrays["name"].tolist() == rendered.names
    for name in ("labels", "instances"):
        assert arrays[name].shape == (len(rendered.names), 64, 32)
        assert arrays[name].dtype == np.uint8
    expected = [OCCLUSIONS.index(shot.occlusion) for shot in plan_shots(OPTIONS)]
    assert arrays["occlusion"].tolist() == expected
    with_obstacle = np.array(expected) == OCCLUSIONS.index("obstacle")
    assert (arrays["obstacle"][with_obstacle] != "").all()


def test_visible_fractions_match_the_occlusion(rendered: Rendered) -> None:
    visible, occluded = rendered.arrays["visible"], rendered.arrays["occlusion"] > 0
    people = np.array([label.person > 0 for label in rendered.labels])
    assert visible[occluded].min() >= VISIBLE[0]
    assert visible[occluded].max() <= VISIBLE[1]
    assert visible[people & ~occluded].min() >= 0.9


def test_masks_agree_with_the_visible_fraction(rendered: Rendered) -> None:
    labels, instances = rendered.arrays["labels"], rendered.arrays["instances"]
    obstacle = labels == PART["obstacle"]
    assert np.array_equal(instances == 1, (labels > 0) & ~obstacle)
    shown = (instances == 1).mean((1, 2))
    occluded = rendered.arrays["occlusion"] > 0
    people = np.array([label.person > 0 for label in rendered.labels])
    assert (shown[people] > 0.03).all()
    assert obstacle[occluded].any((1, 2)).all()
    assert np.median(shown[occluded]) < np.median(shown[people & ~occluded])
    assert np.array_equal(shown == 0, rendered.arrays["visible"] == 0)  # images without a person


def test_junk_shows_at_most_half_a_person(rendered: Rendered) -> None:
    junk = np.array([label.person == -1 for label in rendered.labels])
    assert junk.sum() == OPTIONS.junk_images
    assert (rendered.arrays["visible"][junk] < 0.8).all()
    folders = {label.folder for label in rendered.labels if label.person <= 0}
    assert folders == {TEST}


def test_masks_are_aligned_with_the_images(rendered: Rendered) -> None:
    """The image changes most along the outlines of the masks."""
    ratios = []
    for name, instances in zip(rendered.names, rendered.arrays["instances"], strict=True):
        step = np.abs(np.diff(rendered.image(name).astype(int), axis=1)).sum(-1)
        outline = np.diff((instances == 1).astype(int), axis=1) != 0
        if outline.any():
            ratios.append(step[outline].mean() / step[~outline].mean())
    assert np.median(ratios) > 1.5


def test_impossible_options_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"benchmark\.gallery_images"):
        render_benchmark(
            BODY, tmp_path / "a.zip", tmp_path / "t.npz", BenchmarkOptions(gallery_images=1)
        )
    assert not list(tmp_path.iterdir())


def test_images_of_one_identity_are_rendered_in_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people: list[int] = []
    take = Studio.take

    def recorded(self: Studio, shot: Shot, frame: int) -> Crop:
        people.append(shot.person)
        return take(self, shot, frame)

    monkeypatch.setattr(Studio, "take", recorded)
    options = OPTIONS.model_copy(update={"train_images": 1, "distractor_images": 1})
    render_benchmark(BODY, tmp_path / "a.zip", tmp_path / "t.npz", options)
    identities = [person for person, _ in groupby(people) if person > 0]
    assert sorted(identities) == list(range(1, 7))
