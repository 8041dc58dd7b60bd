"""The section `figures`: which pictures are drawn."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.options.base import Section


class FigureOptions(Section):
    """Which queries the pictures of single images show: ranks, kept patches, attention."""

    queries: Annotated[list[str], Field(min_length=1)] | None = None
    """Keys of query images; null: the best and the worst ones, by AP (ranks: its gain)."""
    count: Annotated[int, Field(ge=2)] = 6
    """At most so many are chosen when none are given, half of them from either end."""
