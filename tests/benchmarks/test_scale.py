"""The benchmark of large data sets, on a small scale."""

from __future__ import annotations

import pytest

from benchmarks.scale import main


@pytest.mark.long
def test_measures_start_order_memory_and_a_shard() -> None:
    rows = main(["--images", "8000", "--gigabytes", "0.01"])
    assert [row.unit for row in rows] == ["s", "s", "s", "GiB", "s a GB", "us"]
    assert rows[0].work == "start of a training, 8,000 images of 200 identities"
    assert all(row.value is not None and row.value > 0 for row in rows)
