"""Columns of whole-body queries in the tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.files import read_json, write_json
from tests.tables.runs import (
    BASELINE,
    FULL,
    MARKET,
    rows_of,
    run_tabulate,
    write_metrics,
)


def add_whole_queries(path: Path) -> Path:
    """Add whole-body queries with twice the numbers of a run, without re-ranked ones."""
    metrics = read_json(path)
    doubled = {
        feature: {name: 2 * value for name, value in values.items()}
        for feature, values in metrics["features"].items()
        if not feature.endswith("_reranked")
    }
    write_json(path, metrics | {"whole_query": {"features": doubled}})
    return path


@pytest.fixture
def whole(tmp_path: Path) -> list[Path]:
    """Two variants with whole-body queries over two seeds; one has a re-ranked row."""
    features = {"baseline": BASELINE, "dpsm_fbm": ("blended", "blended_reranked", *FULL[1:])}
    return [
        add_whole_queries(write_metrics(tmp_path, name, seed, given, MARKET))
        for name, given in features.items()
        for seed in (0, 1)
    ]


def test_csv_has_columns_of_whole_body_queries(tmp_path: Path, whole: list[Path]) -> None:
    outputs = run_tabulate(tmp_path, whole)
    names = [f"whole_{name}_{part}" for name in ("rank1", "map") for part in ("mean", "std")]
    rows = rows_of(outputs["csv"])
    assert list(rows[0])[-4:] == names
    for row in rows:
        found = [row[name] for name in names]
        if row["feature"] == "blended_reranked":
            assert found == [""] * 4
        else:
            doubled = [2 * float(row[name.removeprefix("whole_")]) for name in names]
            assert [float(value) for value in found] == pytest.approx(doubled, abs=1e-3)
    for run in rows_of(outputs["each"]):
        reranked = run["feature"] == "blended_reranked"
        assert run["whole_map"] == ("" if reranked else str(2 * float(run["map"])))


def test_markdown_and_latex_have_columns_of_whole_body_queries(
    tmp_path: Path, whole: list[Path]
) -> None:
    outputs = run_tabulate(tmp_path, whole)
    lines = outputs["markdown"].read_text().splitlines()
    assert "whole: queries without occlusion" in lines[0]
    assert lines[2].endswith("| whole Rank-1 | whole mAP |")
    assert {line.count("|") for line in lines[2:]} == {11}
    assert next(line for line in lines if "reranked |" in line).endswith("| – | – |")
    [row, *_] = rows_of(outputs["csv"])
    cell = f"{float(row['whole_map_mean']):.1f} ± {float(row['whole_map_std']):.1f}"
    assert lines[4].endswith(f"| {cell} |")
    latex = outputs["latex"].read_text().splitlines()
    assert {line.count("&") for line in latex if "&" in line} == {9}


def test_runs_with_and_without_whole_body_queries_are_refused(
    tmp_path: Path, whole: list[Path]
) -> None:
    write_metrics(tmp_path, "baseline", 1, BASELINE, MARKET)
    with pytest.raises(InputError, match="whole-body queries in all runs or in none"):
        run_tabulate(tmp_path, whole)
