"""Run ingest and shard with all files in one folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.data.ingest import ingest
from pipeline.data.shards import shard
from pipeline.errors import InputError
from pipeline.options.data import IngestOptions


def run_ingest(
    archive: Path,
    options: IngestOptions,
    lists: Path | None = None,
    required_splits: list[str] | None = None,
) -> Path:
    """Write images, manifest.csv and ingest.json beside the archive; returns the manifest."""
    folder = archive.parent
    manifest, record = folder / "manifest.csv", folder / "ingest.json"
    ingest(archive, folder / "images", manifest, record, options, lists, required_splits)
    return manifest


def refused(archive: Path, options: IngestOptions, *reasons: str, lists: Path | None = None) -> str:
    """Require an InputError with `reasons` and no output; return the message."""
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(InputError) as error:
        run_ingest(archive, options, lists)
    message = str(error.value)
    assert all(part in message for part in (str(archive), *reasons)), message
    assert sorted(archive.parent.rglob("*")) == before
    return message


def run_shard(folder: Path) -> None:
    """Write the shards of the images in the same folder."""
    shard(*(folder / name for name in ("images", "manifest.csv", "shards")))
