"""Run ingest and shard with all files in one folder."""

from __future__ import annotations

from pathlib import Path

from pipeline.data.ingest import ingest
from pipeline.data.shards import shard
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


def run_shard(folder: Path) -> None:
    """Write the shards of the images in the same folder."""
    shard(*(folder / name for name in ("images", "manifest.csv", "shards")))
