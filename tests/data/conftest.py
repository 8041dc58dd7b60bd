"""Small archives of JPEG files in the layout of Market-1501."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.options.data import IngestOptions, SplitCounts
from tests.data.stages import run_ingest, run_shard
from tests.miniatures import picture, write_zip


@pytest.fixture
def files() -> dict[str, bytes]:
    """Three training identities, two query identities, two distractors, two junk images."""
    train, test = "bounding_box_train", "bounding_box_test"
    names = [f"{train}/{i:04d}_c{c}s1_000{c}51_00.jpg" for i in (2, 7, 10) for c in (1, 2, 3)]
    names += [f"query/{i:04d}_c1s1_000151_00.jpg" for i in (1, 3)]
    names += [f"{test}/{i:04d}_c{c}s1_000{c}76_01.jpg" for i in (1, 3) for c in (2, 3)]
    names += [f"{test}/0000_c{c}s1_000001_0{c}.jpg" for c in (1, 2)]
    names += [f"{test}/-1_c{c}s1_000401_0{c}.jpg" for c in (1, 3)]
    return {name: picture(number) for number, name in enumerate(names)}


@pytest.fixture
def options() -> IngestOptions:
    """The options of ingest for `files`."""
    counts = {"train": (3, 9), "query": (2, 2), "gallery": (3, 6)}
    expected = {name: SplitCounts(identities=i, images=n) for name, (i, n) in counts.items()}
    return IngestOptions(dataset="synthetic", expected=expected)


@pytest.fixture
def zip_with(tmp_path: Path, files: dict[str, bytes]) -> Callable[..., Path]:
    """Write an archive of `files` and of more."""

    def write(more: dict[str, bytes] | None = None, top: str = "") -> Path:
        inside = {top + name: data for name, data in (files | (more or {})).items()}
        return write_zip(tmp_path / "archive.zip", inside)

    return write


@pytest.fixture
def ingested(tmp_path: Path, zip_with: Callable, options: IngestOptions) -> Path:
    """A folder with images/, manifest.csv and ingest.json."""
    run_ingest(zip_with(), options)
    return tmp_path


@pytest.fixture
def shards(ingested: Path) -> Path:
    run_shard(ingested)
    return ingested / "shards"
