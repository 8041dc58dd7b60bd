"""The cross-domain matrix: its numbers are those of the runs, and each names its run."""

from __future__ import annotations

import csv
import statistics
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.files import read_json, sha256, write_json
from pipeline.run import Benchmark
from pipeline.tables.cross_domain import tabulate_cross_domain
from pipeline.tables.tabulate import read_table
from tests.tables.runs import BASELINE, FULL, write_metrics

TRAINED, TESTED = ("a", "folder:b", "a+folder:b"), ("folder:b", "c")
VARIANTS = {"dpsm": FULL, "baseline": BASELINE}


def write_cells(folder: Path) -> dict[tuple[str, str, str, int], Path]:
    """Write metrics of two seeds per cell and variant; mAP differs by cell."""
    found = {}
    for row, trained in enumerate(TRAINED):
        for column, tested in enumerate(TESTED):
            for variant, features in VARIANTS.items():
                for seed in (0, 1):
                    cell = Benchmark(tested, trained)
                    path = write_metrics(folder / trained, variant, seed, features, cell)
                    facts = read_json(path)
                    for scores in facts["features"].values():
                        scores["map"] += 10 * row + 3 * column
                    write_json(path, facts)
                    found[trained, tested, variant, seed] = path
    return found


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def make(folder: Path, metrics: list[Path]) -> tuple[Path, Path, Path]:
    made = folder / "matrix.csv", folder / "matrix.md", folder / "matrix_runs.csv"
    tabulate_cross_domain(metrics, *made, list(VARIANTS))
    return made


def test_every_cell_has_mean_deviation_and_its_runs(tmp_path: Path) -> None:
    cells = write_cells(tmp_path)
    table, markdown, each = make(tmp_path, list(cells.values()))
    first = {name: features[0] for name, features in VARIANTS.items()}
    rows = {(r["trained_on"], r["dataset"], r["variant"], r["feature"]): r for r in rows_of(table)}
    assert len(rows) == len(TRAINED) * len(TESTED) * (len(FULL) + len(BASELINE))
    lines = markdown.read_text().splitlines()
    header, *body = [[c.strip() for c in line.strip("|").split("|")] for line in lines[2:]]
    assert header == ["variant", "trained on", *TESTED]
    shown = {(line[0], line[1]): line[2:] for line in body[1:]}
    assert list(shown) == [(variant, trained) for variant in VARIANTS for trained in TRAINED]
    for trained in TRAINED:
        for column, tested in enumerate(TESTED):
            for variant, feature in first.items():
                paths = [cells[trained, tested, variant, seed] for seed in (0, 1)]
                values = [read_json(path)["features"][feature] for path in paths]
                expected = []
                for name in ("rank1", "map"):
                    numbers = [each[name] for each in values]
                    mean, deviation = statistics.mean(numbers), statistics.stdev(numbers)
                    row = rows[trained, tested, variant, feature]
                    assert float(row[f"{name}_mean"]) == pytest.approx(mean, abs=1e-4)
                    assert float(row[f"{name}_std"]) == pytest.approx(deviation, abs=1e-4)
                    expected.append(f"{mean:.1f} ± {deviation:.1f}")
                assert shown[variant, trained][column] == " / ".join(expected)
    for row in rows_of(each):
        path = cells[row["trained_on"], row["dataset"], row["variant"], int(row["seed"])]
        assert (row["metrics"], row["metrics_sha256"]) == (path.as_posix(), sha256(path))


def test_cell_without_a_seed_of_the_others_is_refused(tmp_path: Path) -> None:
    metrics = list(write_cells(tmp_path).values())
    with pytest.raises(InputError, match=r"expected the seeds 0, 1 .* found no baseline seed 1"):
        make(tmp_path, metrics[:-1])


def test_matrix_is_not_read_as_the_table_of_one_experiment(tmp_path: Path) -> None:
    table, _, _ = make(tmp_path, list(write_cells(tmp_path).values()))
    with pytest.raises(InputError, match=r"expected one row of .* several datasets"):
        read_table(table)
