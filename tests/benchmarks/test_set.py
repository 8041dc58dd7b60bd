"""The set of benchmarks writes one table."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from benchmarks import set as benchmarks
from benchmarks.set import SET, Part
from pipeline.files import read_json
from tests.cases import long_but

GPU = Part("training", "--images 64", gpu=True)
PARTS = {  # scale starts processes itself
    "ranking": Part("ranking", "--queries 20 --gallery 60 --work ranking"),
    "scale": Part("scale", "--images 2000 --gigabytes 0.001"),
}


@pytest.mark.parametrize("name", long_but(PARTS, "ranking"))
def test_table_has_each_row_and_says_what_was_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    docs = tmp_path / "performance.md"
    docs.write_text("Before.\n<!-- make bench -->\nold\n<!-- end -->\nAfter.\n")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # each benchmark is a new process
    monkeypatch.setattr(benchmarks, "SET", (PARTS[name], GPU))
    monkeypatch.setattr(benchmarks, "DOCS", docs)
    benchmarks.main(["--docs", "--output", str(tmp_path)])
    rows = read_json(tmp_path / "benchmarks.json")["rows"]
    assert [row["value"] is None for row in rows] == [*(len(rows) - 1) * [False], True]
    assert len(rows) > 1
    table = (tmp_path / "benchmarks.md").read_text()
    assert "| on a GPU: `python -m benchmarks.training --images 64` | not measured |  |" in table
    assert all(f"| {row['work']} |" in table for row in rows)
    assert docs.read_text() == f"Before.\n<!-- make bench -->\n{table}<!-- end -->\nAfter.\n"


@pytest.mark.parametrize("module", sorted({part.module for part in SET}))
def test_benchmarks_of_the_set_exist(module: str) -> None:
    assert importlib.import_module(f"benchmarks.{module}").main
