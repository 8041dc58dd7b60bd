"""Ingest and shard with everything in one folder."""

from __future__ import annotations

from pathlib import Path

from pipeline.data.ingest import ingest
from pipeline.data.shards import shard
from pipeline.options.data import IngestOptions


def run_ingest(
    archive: Path,
    options: IngestOptions,
    lists: Path | None = None,
    needed: list[str] | None = None,
) -> Path:
    """Images, manifest.csv and ingest.json beside the archive; returns the manifest."""
    folder = archive.parent
    manifest = folder / "manifest.csv"
    ingest(archive, folder / "images", manifest, folder / "ingest.json", options, lists, needed)
    return manifest


def run_shard(folder: Path) -> None:
    """Shards of what was ingested in the same folder."""
    shard(*(folder / name for name in ("images", "manifest.csv", "shards")))
