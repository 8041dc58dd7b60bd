"""The trace of a table's row."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import ROOT
from pipeline.provenance.trace import trace
from tests.provenance.making import make, write

REFERENCE = ROOT / "workflow" / "report" / "components.csv"


@pytest.mark.parametrize("absolute", [False, True])
def test_trace_of_a_row_follows_only_its_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    absolute: bool,
) -> None:
    """Records have paths relative to the workflow's working directory."""
    monkeypatch.chdir(tmp_path)
    folder = Path("results/synthetic")
    runs = [folder / variant / "seed0" / "metrics.json" for variant in ("baseline", "dpeformer")]
    made = write(Path("components.csv"), REFERENCE.read_text())
    table = make(made, folder / "tables", *(write(run, "{}") for run in runs))
    trace(table.absolute() if absolute else table, "dpeformer")
    printed = capsys.readouterr().out
    assert str(runs[1]) in printed
    assert str(runs[0]) not in printed
