"""The rows of the table of all benchmarks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

HEADER = "| work | measured | goal |\n|---|---|---|\n"


class Row(NamedTuple):
    """A measured value beside its goal."""

    work: str
    value: float | None
    """None: not measured on this machine."""
    unit: str
    """What stands after the value, such as "x the distances alone"."""
    goal: str = ""

    @property
    def measured(self) -> str:
        """The value with its unit."""
        return "not measured" if self.value is None else f"{self.value:.3g} {self.unit}"


def markdown(rows: Iterable[Row]) -> str:
    """Return the table of the rows."""
    return HEADER + "".join(f"| {row.work} | {row.measured} | {row.goal} |\n" for row in rows)
