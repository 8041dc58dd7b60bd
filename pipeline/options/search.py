"""The section `search`: pictures without labels to search with a trained network."""

from __future__ import annotations

from pipeline.options.base import LocalPath, Name, Positive, Section


class SearchOptions(Section):
    """What the target `search` searches; its results are in results/search/<name>."""

    run: LocalPath | None = None
    """Folder of a finished run, or a file of its weights."""
    query: LocalPath | None = None
    """Folder of pictures to search for, at any depth."""
    gallery: LocalPath | None = None
    """Folder of pictures to search in, at any depth."""
    name: Name = "mine"
    """Folder of the results."""
    top: Positive = 10
    """Matches of each query."""
