"""Which queries the pictures of single images show."""

from __future__ import annotations

import pandas as pd

from pipeline.errors import InputError
from pipeline.options.figures import FigureOptions

EXAMPLES = 3
"""Known keys that an error about an unknown one names."""


def choose_queries(scores: pd.Series, options: FigureOptions) -> list[str]:
    """The queries that were asked for; else those of the highest scores, then of the lowest.

    `scores` holds a number for each query, by key: half of the queries come from either end,
    highest first, ties go by key; where there are no more, all of them. Queries without a number
    (NaN) are shown only when asked for. Raises InputError for a key that is no query.
    """
    if options.queries is not None:
        unknown = [key for key in options.queries if key not in scores.index]
        if unknown:
            known = ", ".join(sorted(scores.index)[:EXAMPLES])
            raise InputError(
                f"config: figures.queries: no query has the key {', '.join(map(repr, unknown))}: "
                f"give keys of the query images, such as {known}"
            )
        return list(options.queries)
    order = scores.dropna().sort_index().sort_values(ascending=False, kind="stable").index
    if len(order) <= options.count:
        return list(order)
    lowest = options.count // 2
    return [*order[: options.count - lowest], *order[len(order) - lowest :]]


def how_chosen(options: FigureOptions, score: str, shown: int) -> str:
    """How `choose_queries` chose those `shown`, by what `score` names, for who sees the picture."""
    if options.queries is not None:
        return "Queries named in the configuration."
    if shown < options.count:
        return f"All queries that have a match, highest {score} first."
    lowest = options.count // 2
    return f"Highest {score} ({options.count - lowest}), then lowest ({lowest})."


def average_precision(share: float) -> str:
    """An average precision in 0..1 as a caption says it; NaN, where a query has no match."""
    return "no match" if pd.isna(share) else f"AP {100 * share:.1f} %"
