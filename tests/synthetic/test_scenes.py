from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.options.rendered import SceneOptions
from pipeline.synthetic.scenes import (
    EASY_OVERLAP,
    HARD_OVERLAP,
    SCENE_KINDS,
    _find_place,
    draw_scene,
    draw_scenes,
)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("size", [96, 128])
def test_instances_are_numbered_and_each_is_visible(hard: bool, size: int):
    for seed in range(20):
        scene = draw_scene(np.random.default_rng(seed), size, hard)
        assert scene.image.shape == (size, size, 3)
        assert scene.image.dtype == scene.instances.dtype == np.uint8
        assert scene.instances.shape == (size, size)
        assert np.array_equal(np.unique(scene.instances), np.arange(len(scene.kinds) + 1))
        assert 1 <= len(scene.kinds) <= (5 if hard else 4)
        assert set(scene.kinds) <= set(SCENE_KINDS)


@pytest.mark.parametrize("overlap", [EASY_OVERLAP, HARD_OVERLAP])
def test_no_object_is_hidden_by_more_than_the_bound(overlap: float):
    rng = np.random.default_rng(0)
    sprite = Image.new("RGBA", (30, 40), (1, 2, 3, 255))
    for _ in range(30):
        instances, areas = np.zeros((100, 100), np.uint8), [0]
        for _ in range(6):
            place = _find_place(rng, sprite, instances, areas, overlap)
            if place is None:
                continue
            assert (instances[place[1]] > 0).mean() <= overlap
            instances[place[1]] = len(areas)
            areas.append(int(place[1].sum()))
        for number, area in enumerate(areas[1:], start=1):
            assert (instances == number).sum() >= (1 - overlap) * area


def test_instances_agree_with_the_image():
    """A box has three colours: neighbouring pixels differ far more across its outline."""
    across, inside = [], []
    for seed in range(40):
        scene = draw_scene(np.random.default_rng(seed), 128, hard=False)
        image = scene.image.astype(int)
        step = np.abs(np.diff(image, axis=1)).sum(-1)
        outline = np.diff(scene.instances.astype(int), axis=1) != 0
        across.append(step[outline].mean())
        inside.append(step[~outline].mean())
    assert np.mean(across) > 3 * np.mean(inside)


def test_hard_scenes_overlap_more():
    def hidden_neighbours(hard: bool) -> float:
        """Share of outline pixels between two objects instead of object and background."""
        shares = []
        for seed in range(40):
            ids = draw_scene(np.random.default_rng(seed), 96, hard).instances
            left, right = ids[:, :-1], ids[:, 1:]
            shares.append(((left > 0) & (right > 0))[left != right].mean())
        return float(np.mean(shares))

    assert hidden_neighbours(True) > 2 * hidden_neighbours(False)


def test_the_folder_has_the_same_bytes_twice(tmp_path: Path):
    options = SceneOptions(count=6, size=64, seed=3)
    for name in ("first", "again"):
        draw_scenes(tmp_path / name, options)
    names = [path.name for path in sorted((tmp_path / "first").iterdir())]
    assert names == [f"scene_{index:05d}.png" for index in range(6)]
    for name in names:
        first = (tmp_path / "first" / name).read_bytes()
        assert first == (tmp_path / "again" / name).read_bytes()
        assert Image.open(tmp_path / "first" / name).size == (64, 64)
    assert len({(tmp_path / "first" / name).read_bytes() for name in names}) == 6
