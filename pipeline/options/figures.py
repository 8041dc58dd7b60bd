"""The section `figures`: the queries that figures show."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.options.base import Section


class FigureOptions(Section):
    """The queries in the figures of ranked lists, kept patches and attention."""

    queries: Annotated[list[str], Field(min_length=1)] | None = None
    """Keys of query images; null: those with the best and worst AP (ranked lists: AP gain)."""
    count: Annotated[int, Field(ge=2)] = 6
    """Maximum number of queries if `queries` is null: half best, half worst."""
