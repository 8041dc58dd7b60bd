"""The benchmark of memory, on a small scale."""

from __future__ import annotations

import pytest

from benchmarks.memory import main


@pytest.mark.long
def test_measures_the_peak() -> None:
    rows = main(["--queries", "5", "--gallery", "50", "--dtype", "float16"])
    assert [row.work.split()[:4] for row in rows] == [
        [work, "5", "x", "50,"] for work in ("writing", "scoring")
    ]
    assert all(row.value is not None and 0 < row.value < 3 for row in rows)
