from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.options.rendered import SceneOptions
from pipeline.synthetic.scenes import render_scenes
from tests.synthetic.conftest import BODY


def test_number_of_processes_does_not_change_the_bytes(tmp_path: Path):
    options = SceneOptions(count=4, size=64, seed=3)
    render_scenes(BODY, tmp_path / "one", options, processes=1)
    render_scenes(BODY, tmp_path / "two", options, processes=2)
    files = sorted((tmp_path / "one").iterdir())
    assert [path.name for path in files] == [f"scene_{index:05d}.png" for index in range(4)]
    for path in files:
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
        assert Image.open(path).size == (64, 64)
    assert len({path.read_bytes() for path in files}) == 4


def test_another_seed_gives_other_scenes(tmp_path: Path):
    pictures = []
    for seed in (1, 2):
        render_scenes(BODY, tmp_path / str(seed), SceneOptions(count=1, size=64, seed=seed))
        pictures.append(np.asarray(Image.open(tmp_path / str(seed) / "scene_00000.png")))
    assert not np.array_equal(*pictures)
