"""The benchmark of Snakemake's own time, on a small scale."""

from __future__ import annotations

import pytest

from benchmarks import plan


@pytest.mark.long
def test_counts_the_runs_and_their_time() -> None:
    rows = plan.main(["--variants", "2"])
    assert [row.work for row in rows] == ["plan of 30 runs", "30 runs, nothing to do"]
    assert all(row.value is not None and row.value > 0.1 for row in rows)
