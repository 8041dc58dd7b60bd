"""The benchmark of memory, on a small scale."""

from __future__ import annotations

import pytest

from benchmarks import memory


@pytest.mark.long
def test_measures_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GALLERY", 50)
    rows = memory.main(["--queries", "5", "--dtype", "float16"])
    assert [row.work.split()[0] for row in rows] == ["writing", "scoring"]
    assert all(row.value is not None and 0 < row.value < 3 for row in rows)
