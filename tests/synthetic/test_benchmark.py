"""A tiny benchmark: its files, their masks and what they say of themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.options.rendered import BenchmarkOptions
from pipeline.synthetic.benchmark import render_benchmark
from pipeline.synthetic.plan import OCCLUSIONS, QUERY, TEST, WHOLE_BODY, plan_shots
from pipeline.world.crops import HIDDEN
from pipeline.world.surfaces import PART
from tests.synthetic.conftest import BODY, OPTIONS, Rendered


def test_two_processes_write_the_same_bytes(rendered: Rendered, tmp_path: Path) -> None:
    render_benchmark(BODY, tmp_path / "a.zip", tmp_path / "t.npz", OPTIONS, processes=2)
    assert (tmp_path / "a.zip").read_bytes() == rendered.archive.read_bytes()
    assert (tmp_path / "t.npz").read_bytes() == rendered.ground_truth.read_bytes()


def test_the_images_are_those_of_the_plan(rendered: Rendered) -> None:
    expected = [(shot.folder, shot.person, shot.camera + 1) for shot in plan_shots(OPTIONS)]
    assert [tuple(label) for label in rendered.labels] == expected
    assert len(set(rendered.names)) == len(rendered.names)
    assert {rendered.image(name).shape for name in rendered.names[::5]} == {(64, 32, 3)}


def test_truth_lists_every_image_in_order(rendered: Rendered) -> None:
    arrays = rendered.arrays
    assert arrays["name"].tolist() == rendered.names
    for name in ("labels", "instances"):
        assert arrays[name].shape == (len(rendered.names), 64, 32)
        assert arrays[name].dtype == np.uint8
    expected = [OCCLUSIONS.index(shot.occlusion) for shot in plan_shots(OPTIONS)]
    assert arrays["occlusion"].tolist() == expected
    behind = np.array(expected) == OCCLUSIONS.index("obstacle")
    assert (arrays["obstacle"][behind] != "").all()


def test_every_query_is_partly_hidden_and_whole_bodies_are_not(rendered: Rendered) -> None:
    visible, hidden = rendered.arrays["visible"], rendered.arrays["occlusion"] > 0
    folders = np.array([label.folder for label in rendered.labels])
    people = np.array([label.person > 0 for label in rendered.labels])
    assert hidden[folders == QUERY].all()
    assert not hidden[folders == WHOLE_BODY].any()
    assert hidden[(folders == TEST) & people].any()
    assert visible[hidden].min() >= HIDDEN[0]
    assert visible[hidden].max() <= HIDDEN[1]
    assert visible[people & ~hidden].min() >= 0.9


def test_masks_agree_with_what_is_visible(rendered: Rendered) -> None:
    labels, instances = rendered.arrays["labels"], rendered.arrays["instances"]
    obstacle = labels == PART["obstacle"]
    assert np.array_equal(instances == 1, (labels > 0) & ~obstacle)
    shown = (instances == 1).mean((1, 2))
    hidden = rendered.arrays["occlusion"] > 0
    people = np.array([label.person > 0 for label in rendered.labels])
    assert (shown[people] > 0.03).all()
    assert obstacle[hidden].any((1, 2)).all()
    assert np.median(shown[hidden]) < np.median(shown[people & ~hidden])
    assert np.array_equal(shown == 0, rendered.arrays["visible"] == 0)  # places without anybody


def test_junk_shows_half_of_somebody_at_most(rendered: Rendered) -> None:
    junk = np.array([label.person == -1 for label in rendered.labels])
    assert junk.sum() == OPTIONS.junk_images
    assert (rendered.arrays["visible"][junk] < 0.8).all()
    folders = {label.folder for label in rendered.labels if label.person <= 0}
    assert folders == {TEST}


def test_images_are_the_labelled_ones(rendered: Rendered) -> None:
    """The outline of the masks is where the image changes, in all cameras."""
    ratios = []
    for name, instances in zip(rendered.names, rendered.arrays["instances"], strict=True):
        step = np.abs(np.diff(rendered.image(name).astype(int), axis=1)).sum(-1)
        outline = np.diff((instances == 1).astype(int), axis=1) != 0
        if outline.any():
            ratios.append(step[outline].mean() / step[~outline].mean())
    assert np.median(ratios) > 1.5


def test_options_that_cannot_be_met_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"benchmark\.gallery_images"):
        render_benchmark(
            BODY, tmp_path / "a.zip", tmp_path / "t.npz", BenchmarkOptions(gallery_images=1)
        )
    assert not list(tmp_path.iterdir())
