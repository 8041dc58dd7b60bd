"""Stage: check that a table agrees with that of another machine.

On one machine the same seed gives the same bytes. Another processor rounds sums differently, and
training amplifies this: weights and metrics differ. Conclusions must not depend on the machine, so
means may differ by no more than the standard deviation over seeds.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import InputError, some
from pipeline.run import HEADLINES
from pipeline.tables.tabulate import read_table


class Comparison(NamedTuple):
    """The means of a metric in a table and in the reference, in points of percent."""

    name: str
    """Variant, feature and metric."""
    mean: float
    reference: float
    deviation: float
    """Over seeds: root mean square of the sample standard deviations of both tables."""

    @property
    def agrees(self) -> bool:
        """Whether the means differ by no more than the deviation."""
        return abs(self.mean - self.reference) <= self.deviation

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.mean:.2f}, reference {self.reference:.2f}, difference "
            f"{abs(self.mean - self.reference):.2f}, deviation {self.deviation:.2f}"
        )


def compare_tables(table: Path, reference: Path) -> list[Comparison]:
    """Compare Rank-1 and mAP of each row; InputError unless rows and configuration are the same."""
    rows, expected = read_table(table), read_table(reference)
    unpaired = [f"{variant}/{feature}" for variant, feature in rows.keys() ^ expected.keys()]
    if unpaired:
        raise InputError(
            f"{table}: expected the rows of {reference}, found rows in only one of them: "
            f"{some(sorted(unpaired))}: compare tables of the same configuration"
        )
    for name in ("dataset", "trained_on", "seeds"):
        if any(rows[key][name] != expected[key][name] for key in rows):
            raise InputError(
                f"{table}: expected the {name} of {reference}, found another: compare tables of "
                "the same configuration"
            )
    return [
        _compare(f"{' '.join(key)} {title}", metric, (rows[key], expected[key]))
        for key in rows
        for metric, title in HEADLINES.items()
    ]


def _compare(name: str, metric: str, rows: tuple[dict[str, str], dict[str, str]]) -> Comparison:
    deviations = [row[f"{metric}_std"] for row in rows]
    if "" in deviations:
        raise InputError(f"{name}: expected several seeds, found one: train with several seeds")
    deviation = math.sqrt(sum(float(std) ** 2 for std in deviations) / len(deviations))
    mean, reference = (float(row[f"{metric}_mean"]) for row in rows)
    return Comparison(name, mean, reference, deviation)


def agree(table: Path, reference: Path) -> None:
    """Print Rank-1 and mAP of each row of two CSV tables of the same configuration.

    Raises InputError with all means that differ by more than the deviation over seeds.
    """
    found = compare_tables(table, reference)
    print("\n".join(map(str, found)))
    differing = [comparison for comparison in found if not comparison.agrees]
    if differing:
        raise InputError(
            f"{table}: {len(differing)} of {len(found)} means differ from those of {reference} by "
            f"more than the deviation over seeds:\n  {some(differing, chr(10) + '  ')}"
        )
    print(f"{table}: all {len(found)} means agree with {reference} within the deviation")
