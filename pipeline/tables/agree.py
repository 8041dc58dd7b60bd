"""Stage: does a table agree with that of another machine, within the deviation over seeds?

On one machine the same seed gives the same bytes. Another processor adds in another order, a sum's
last digit differs, and training makes more of it: weights and metrics are others. What a paper
concludes from should not depend on it: means may differ by no more than seeds differ.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import InputError, some
from pipeline.run import HEADLINES
from pipeline.tables.tabulate import read_table


class Comparison(NamedTuple):
    """The mean of a metric here and there, in points of percent."""

    name: str
    """Variant, feature and metric."""
    here: float
    there: float
    deviation: float
    """Over seeds: the root mean square of the sample deviations here and there."""

    @property
    def agrees(self) -> bool:
        """Whether the means differ by no more than the deviation."""
        return abs(self.here - self.there) <= self.deviation

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.here:.2f} here, {self.there:.2f} there, differ by "
            f"{abs(self.here - self.there):.2f}, deviation {self.deviation:.2f}"
        )


def compare_tables(table: Path, reference: Path) -> list[Comparison]:
    """Rank-1 and mAP of each row; InputError unless both have the same rows, over several seeds."""
    here, there = read_table(table), read_table(reference)
    alone = [f"{variant}/{feature}" for variant, feature in here.keys() ^ there.keys()]
    if alone:
        raise InputError(
            f"{table}: expected the rows of {reference}, but only one of them has "
            f"{some(sorted(alone))}: compare tables of the same configuration"
        )
    for name in ("dataset", "trained_on", "seeds"):
        if any(here[key][name] != there[key][name] for key in here):
            raise InputError(
                f"{table}: expected the {name} of {reference}: compare tables of the same "
                "configuration"
            )
    return [
        _compare(f"{' '.join(key)} {title}", metric, (here[key], there[key]))
        for key in here
        for metric, title in HEADLINES.items()
    ]


def _compare(name: str, metric: str, rows: tuple[dict[str, str], dict[str, str]]) -> Comparison:
    spreads = [row[f"{metric}_std"] for row in rows]
    if "" in spreads:
        raise InputError(f"{name}: a single seed has no deviation: train with several seeds")
    deviation = math.sqrt(sum(float(spread) ** 2 for spread in spreads) / len(spreads))
    here, there = (float(row[f"{metric}_mean"]) for row in rows)
    return Comparison(name, here, there, deviation)


def agree(table: Path, reference: Path) -> None:
    """Print Rank-1 and mAP of each row of two tables in CSV, of the same configuration.

    Raises InputError that names those whose means differ by more than the deviation over seeds.
    """
    found = compare_tables(table, reference)
    print("\n".join(map(str, found)))
    apart = [comparison for comparison in found if not comparison.agrees]
    if apart:
        raise InputError(
            f"{table}: {len(apart)} of {len(found)} means differ from those of {reference} by more "
            f"than the deviation over seeds:\n  {some(apart, chr(10) + '  ')}"
        )
    print(f"{table}: all {len(found)} means are those of {reference} within the deviation")
