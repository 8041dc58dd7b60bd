"""Small archives of JPEG files in the layout of Market-1501."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.options.data import IngestOptions, SplitCounts
from tests.data.stages import run_ingest, run_shard

Encode = Callable[..., bytes]
MakeZip = Callable[..., Path]


def _encode(seed: int, file_format: str = "JPEG", mode: str = "RGB") -> bytes:
    """Return a random smooth image of 32 x 16 pixels (height x width), encoded."""
    pixels = np.random.default_rng([7, seed]).integers(0, 256, (8, 4, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).resize((16, 32), Image.Resampling.BICUBIC).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, file_format)
    return buffer.getvalue()


@pytest.fixture
def encode() -> Encode:
    return _encode


@pytest.fixture
def files() -> dict[str, bytes]:
    """Three training identities, two query identities, two distractors, two junk images."""
    train, test = "bounding_box_train", "bounding_box_test"
    names = [f"{train}/{i:04d}_c{c}s1_000{c}51_00.jpg" for i in (2, 7, 10) for c in (1, 2, 3)]
    names += [f"query/{i:04d}_c1s1_000151_00.jpg" for i in (1, 3)]
    names += [f"{test}/{i:04d}_c{c}s1_000{c}76_01.jpg" for i in (1, 3) for c in (2, 3)]
    names += [f"{test}/0000_c{c}s1_000001_0{c}.jpg" for c in (1, 2)]
    names += [f"{test}/-1_c{c}s1_000401_0{c}.jpg" for c in (1, 3)]
    return {name: _encode(number) for number, name in enumerate(names)}


@pytest.fixture
def options() -> IngestOptions:
    """The options of ingest for `files`."""
    counts = {"train": (3, 9), "query": (2, 2), "gallery": (3, 6)}
    expected = {name: SplitCounts(identities=i, images=n) for name, (i, n) in counts.items()}
    return IngestOptions(dataset="synthetic", expected=expected)


@pytest.fixture
def make_zip(tmp_path: Path) -> MakeZip:
    def make(files: dict[str, bytes], top: str = "", name: str = "archive.zip") -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as archive:
            for member, data in files.items():
                archive.writestr(top + member, data)
        return path

    return make


@pytest.fixture
def ingested(tmp_path: Path, files: dict, make_zip: Callable, options: IngestOptions) -> Path:
    """A folder with images/, manifest.csv and ingest.json."""
    run_ingest(make_zip(files), options)
    return tmp_path


@pytest.fixture
def shards(ingested: Path) -> Path:
    run_shard(ingested)
    return ingested / "shards"
