"""Pictures of single images show the queries that were asked for, or the best and the worst."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InputError
from pipeline.figures.queries import average_precision, choose_queries, how_chosen
from pipeline.options.figures import FigureOptions

SCORES = pd.Series([0.0, 0.4, -0.4, 0.1, 0.4, -0.3, 0.0, np.nan], list("abcdefgh"))


def test_the_highest_are_followed_by_the_lowest_and_ties_go_by_key() -> None:
    assert choose_queries(SCORES, FigureOptions(count=5)) == ["b", "e", "d", "f", "c"]
    assert choose_queries(SCORES[::-1], FigureOptions(count=5)) == ["b", "e", "d", "f", "c"]
    assert choose_queries(SCORES, FigureOptions(count=7)) == ["b", "e", "d", "a", "g", "f", "c"]
    assert how_chosen(FigureOptions(count=5), "AP", 5) == "Highest AP (3), then lowest (2)."


def test_where_there_are_fewer_all_are_shown() -> None:
    options = FigureOptions(count=8)
    assert choose_queries(SCORES, options) == ["b", "e", "d", "a", "g", "f", "c"]
    assert how_chosen(options, "AP", 7) == "All queries that have a match, highest AP first."


def test_those_asked_for_are_shown_in_their_order() -> None:
    options = FigureOptions(queries=["h", "c", "a"])
    assert choose_queries(SCORES, options) == ["h", "c", "a"]
    assert how_chosen(options, "AP", 3) == "Queries named in the configuration."


def test_an_unknown_key_is_named_beside_known_ones() -> None:
    options = FigureOptions(queries=["c", "x", "y"])
    with pytest.raises(InputError, match=r"figures\.queries: .* 'x', 'y': .* such as a, b, c$"):
        choose_queries(SCORES, options)


def test_an_average_precision_is_said_in_percent() -> None:
    assert [average_precision(ap) for ap in (0.5, np.nan, 1.0)] == [
        "AP 50.0 %",
        "no match",
        "AP 100.0 %",
    ]
