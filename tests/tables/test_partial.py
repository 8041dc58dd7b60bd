"""Tables of the runs that are finished."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.run import Run
from pipeline.tables.partial import tabulate_partial
from tests.tables.runs import (
    BASELINE,
    rows_of,
    run_tabulate,
    table_files,
    write_all,
    write_metrics,
)


def run_partial(folder: Path, paths: list[Path]) -> dict[str, Path]:
    """Tabulate some runs of three variants with three seeds."""
    outputs, variants = table_files(folder), ["baseline", "roa", "dpsm_fbm"]
    runs = [Run(path.parent) for path in paths]
    tabulate_partial(runs=runs, variants=variants, seeds=[0, 1, 2], **outputs)
    return outputs


def test_partial_table_names_the_missing_runs(tmp_path: Path) -> None:
    """Missing are dpsm_fbm seed 0, and all runs of roa."""
    outputs = run_partial(tmp_path, write_all(tmp_path)[1:])
    rows = [row for row in rows_of(outputs["csv"]) if row["feature"] in ("coarse", "")]
    found = [(row["variant"], row["seeds"], row["missing_seeds"]) for row in rows]
    assert found == [("baseline", "3", ""), ("roa", "0", "0 1 2"), ("dpsm_fbm", "2", "0")]
    assert rows[1]["map_mean"] == ""
    note = "over the finished seeds. Missing runs: roa seed 0, 1, 2; dpsm_fbm seed 0."
    assert note in outputs["markdown"].read_text()
    assert note.replace("_", r"\_") in outputs["latex"].read_text()
    assert "| roa |  | – |" in outputs["markdown"].read_text()


def test_partial_table_of_all_runs_has_the_numbers_of_the_table(tmp_path: Path) -> None:
    whole = write_all(tmp_path)
    whole += [write_metrics(tmp_path, "roa", seed, BASELINE) for seed in range(3)]
    rows = rows_of(run_tabulate(tmp_path, whole, ("baseline", "roa", "dpsm_fbm"))["csv"])
    outputs = run_partial(tmp_path, whole)
    assert rows_of(outputs["csv"]) == [row | {"missing_seeds": ""} for row in rows]
    assert "No run is missing." in outputs["markdown"].read_text()


def test_partial_table_needs_a_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found no finished run"):
        run_partial(tmp_path, [])
