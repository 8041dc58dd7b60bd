"""Works take turns, and the best round counts."""

from __future__ import annotations

from benchmarks.timing import least_times


def test_the_least_time_of_rounds_in_turn() -> None:
    order: list[str] = []
    clock = iter([0, 5, 10, 12, 20, 21, 30, 34])  # a takes 5 s, then 1 s; b takes 2 s, then 4 s
    works = {name: lambda name=name: order.append(name) for name in "ab"}
    assert least_times(works, 2, lambda: next(clock)) == {"a": 1, "b": 2}
    assert order == ["a", "b", "a", "b"]
