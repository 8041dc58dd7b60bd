"""The benchmark of a dry run, on a small scale."""

from __future__ import annotations

import pytest

from benchmarks import plan


@pytest.mark.long
def test_counts_the_planned_runs_and_their_time() -> None:
    [row] = plan.main(["--variants", "2"])
    assert row.work == "plan of 30 runs"
    assert row.value is not None
    assert row.value > 0.1
