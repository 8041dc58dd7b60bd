"""A trained run, and pictures that no dataset has."""

from __future__ import annotations

import shutil
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base as ExifTag

from pipeline import load
from pipeline.commands import main
from pipeline.files import sha256, write_json
from pipeline.training.train import train
from pipeline.use.embedder import Embedder
from tests.training.runs import CPU, files
from tests.training.tiny_data import make_bank, make_shards, tiny_options

NAMES = ("a.png", "b.PNG", "sub/a.png", "sub/deep/photo.jpg")
"""Pictures in the order of their paths."""


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run; do not change it."""
    folder = tmp_path_factory.mktemp("use")
    train(
        shards=make_shards(tmp_path_factory.mktemp("shards")),
        **files(folder / "run"),
        options=tiny_options(),
        compute=CPU,
        dataset="toy",
        variant="tiny",
        seed=0,
        bank=make_bank(tmp_path_factory.mktemp("bank")),
    )
    return folder / "run"


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the finished run."""
    return shutil.copytree(trained, tmp_path / "run")


def write_report(run: Path, threshold: float | None, /, **changed: object) -> None:
    """Write the open-set report of a run, as far as a search reads it."""
    report = {
        "run": sha256(run / "run.json"),
        "feature": "blended",
        "threshold": threshold,
        "false_positive_rate": 0.001,
        "dataset": "toy",
    }
    write_json(run / "open_set.json", report | changed)


@pytest.fixture(scope="session")
def model(trained: Path) -> Embedder:
    return load(trained, "cpu")


class Exported(NamedTuple):
    """The network of the finished run as an ONNX model."""

    embedder: Embedder
    path: Path
    printed: str
    """Output of the command that wrote it."""


@pytest.fixture(scope="session")
def exported(trained: Path, model: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Written by `dpeformer export`; do not change it."""
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    with redirect_stdout(StringIO()) as printed:
        main(["export", "--model", str(trained), "--output", str(path)])
    return Exported(model, path, printed.getvalue())


def draw(path: Path, seed: int, size: tuple[int, int] = (16, 32)) -> Path:
    """Write a smooth random picture."""
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 2, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with the pictures `NAMES` of several sizes; the photo lies on its side."""
    folder = tmp_path / "pictures"
    for seed, name in enumerate(NAMES):
        draw(folder / name, seed, (16 + 5 * seed, 48))
    exif = Image.Exif()
    exif[ExifTag.Orientation] = 6
    with Image.open(folder / NAMES[-1]) as photo:
        photo.transpose(Image.Transpose.ROTATE_90).save(folder / NAMES[-1], exif=exif)
    (folder / "notes.txt").write_text("no picture")
    (folder / ".DS_Store").write_bytes(b"\xff\xd8\xff")
    return folder
