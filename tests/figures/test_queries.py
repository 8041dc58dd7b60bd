"""Figures of single images show the configured queries, or the best and the worst."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InputError
from pipeline.figures.queries import choose_queries, describe_choice, format_ap
from pipeline.options.figures import FigureOptions

SCORES = pd.Series([0.0, 0.4, -0.4, 0.1, 0.4, -0.3, 0.0, np.nan], list("abcdefgh"))


def test_highest_scores_come_before_lowest_and_ties_are_sorted_by_key() -> None:
    assert choose_queries(SCORES, FigureOptions(count=5)) == ["b", "e", "d", "f", "c"]
    assert choose_queries(SCORES[::-1], FigureOptions(count=5)) == ["b", "e", "d", "f", "c"]
    assert choose_queries(SCORES, FigureOptions(count=7)) == ["b", "e", "d", "a", "g", "f", "c"]
    assert describe_choice(FigureOptions(count=5), "AP", 5) == "Highest AP (3), then lowest (2)."


def test_all_queries_are_chosen_if_there_are_fewer() -> None:
    options = FigureOptions(count=8)
    assert choose_queries(SCORES, options) == ["b", "e", "d", "a", "g", "f", "c"]
    assert describe_choice(options, "AP", 7) == "All queries with a match, highest AP first."


def test_configured_queries_keep_their_order() -> None:
    options = FigureOptions(queries=["h", "c", "a"])
    assert choose_queries(SCORES, options) == ["h", "c", "a"]
    assert describe_choice(options, "AP", 3) == "Queries from the configuration."


def test_unknown_key_is_refused_with_known_ones() -> None:
    options = FigureOptions(queries=["c", "x", "y"])
    with pytest.raises(InputError, match=r"figures\.queries: found 'x', 'y', .* such as a, b, c$"):
        choose_queries(SCORES, options)


def test_average_precision_is_formatted_in_percent() -> None:
    found = [format_ap(ap) for ap in (0.5, np.nan, 1.0)]
    assert found == ["AP 50.0 %", "no match", "AP 100.0 %"]
