"""The set of benchmarks writes one table."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch

from benchmarks import set as benchmarks
from benchmarks.set import SET, Part
from pipeline.files import read_json

SMALL = (
    Part("scale", "--images 2000 --gigabytes 0.001"),  # starts processes itself
    Part("training", "--images 64", gpu=True),
)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU would measure ViT-B")
def test_table_has_each_row_and_says_what_was_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = tmp_path / "performance.md"
    docs.write_text("Before.\n<!-- make bench -->\nold\n<!-- end -->\nAfter.\n")
    monkeypatch.setattr(benchmarks, "SET", SMALL)
    monkeypatch.setattr(benchmarks, "DOCS", docs)
    benchmarks.main(["--docs", "--output", str(tmp_path)])
    rows = read_json(tmp_path / "benchmarks.json")["rows"]
    assert [row["value"] is None for row in rows] == [*6 * [False], True]
    table = (tmp_path / "benchmarks.md").read_text()
    assert "| on a GPU: `python -m benchmarks.training --images 64` | not measured |  |" in table
    assert all(f"| {row['work']} |" in table for row in rows)
    assert docs.read_text() == f"Before.\n<!-- make bench -->\n{table}<!-- end -->\nAfter.\n"


@pytest.mark.parametrize("module", sorted({part.module for part in SET}))
def test_benchmarks_of_the_set_exist(module: str) -> None:
    assert importlib.import_module(f"benchmarks.{module}").main
