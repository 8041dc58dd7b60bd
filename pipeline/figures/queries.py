"""Choice of the queries in figures of single images."""

from __future__ import annotations

import pandas as pd

from pipeline.errors import InputError
from pipeline.options.figures import FigureOptions


def choose_queries(scores: pd.Series, options: FigureOptions) -> list[str]:
    """Return the keys in `options.queries`; if null, those of the highest and lowest scores.

    `scores` has a score per query, by key. Half of `options.count` come from each end, highest
    first, ties by key; if there are not more queries, all. Queries with score NaN are ignored.
    Raises InputError for an unknown key in `options.queries`.
    """
    if options.queries is not None:
        unknown = [key for key in options.queries if key not in scores.index]
        if unknown:
            known = ", ".join(sorted(scores.index)[:3])
            raise InputError(
                f"config: figures.queries: found {', '.join(map(repr, unknown))}, expected keys of "
                f"query images: give keys such as {known}"
            )
        return list(options.queries)
    order = scores.dropna().sort_index().sort_values(ascending=False, kind="stable").index
    if len(order) <= options.count:
        return list(order)
    lowest = options.count // 2
    return [*order[: options.count - lowest], *order[len(order) - lowest :]]


def describe_choice(options: FigureOptions, score: str, chosen: int) -> str:
    """Describe for a subtitle how `choose_queries` chose the `chosen` queries by `score`."""
    if options.queries is not None:
        return "Queries from the configuration."
    if chosen < options.count:
        return f"All queries with a match, highest {score} first."
    lowest = options.count // 2
    return f"Highest {score} ({options.count - lowest}), then lowest ({lowest})."


def format_ap(ap: float) -> str:
    """Format an average precision in 0..1; NaN for a query without a match."""
    return "no match" if pd.isna(ap) else f"AP {100 * ap:.1f} %"
