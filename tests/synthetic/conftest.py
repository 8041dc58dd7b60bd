"""A tiny benchmark, rendered once."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from pipeline.options.rendered import BenchmarkOptions
from pipeline.synthetic.benchmark import ARCHIVE_ROOT, render_benchmark

BODY = Path("workflow/body/body.npz")
OPTIONS = BenchmarkOptions(
    seed=5,
    height=64,
    cameras=3,
    obstacles=2,
    obstacles_per_camera=2,
    train_identities=2,
    train_images=3,
    train_occluded=0.3,
    test_identities=3,
    gallery_only_identities=1,
    gallery_images=3,
    gallery_occluded=0.2,
    junk_images=4,
    distractor_images=4,
)
NAME = re.compile(r"(query|query_whole_body|bounding_box_\w+)/(-1|\d{4})_c(\d)s1_\d{6}_01\.jpg")


class Label(NamedTuple):
    folder: str
    person: int
    camera: int


class Rendered(NamedTuple):
    """The files of a benchmark and their content."""

    archive: Path
    ground_truth: Path
    names: list[str]
    arrays: dict[str, np.ndarray]

    @property
    def labels(self) -> list[Label]:
        """Parse the names; fails for a name that is not Market-1501's."""
        matches = [NAME.fullmatch(name) for name in self.names]
        assert all(matches)
        return [Label(match[1], int(match[2]), int(match[3])) for match in matches if match]

    def image(self, name: str) -> np.ndarray:
        with zipfile.ZipFile(self.archive) as file:
            data = file.read(f"{ARCHIVE_ROOT}/{name}")
        return np.asarray(Image.open(io.BytesIO(data)))


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    folder = tmp_path_factory.mktemp("benchmark")
    archive, ground_truth = folder / "benchmark.zip", folder / "ground_truth.npz"
    render_benchmark(BODY, archive, ground_truth, OPTIONS)
    with zipfile.ZipFile(archive) as file:
        names = [name.removeprefix(f"{ARCHIVE_ROOT}/") for name in file.namelist()]
    with np.load(ground_truth, allow_pickle=False) as arrays:
        return Rendered(archive, ground_truth, names, dict(arrays))
