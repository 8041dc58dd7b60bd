"""Stage: the cross-domain matrix, trained on x tested on, as CSV and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipeline.run import HEADLINES, Benchmark, Run
from pipeline.tables.runs import collect_runs, metric_titles
from pipeline.tables.tabulate import (
    TableRow,
    csv_row,
    format_cell,
    over_seeds,
    run_row,
    summarise_runs,
    table_columns,
    write_csv,
    write_markdown,
)

Matrix = dict[Benchmark, list[Run]]
"""The runs of each cell, row by row, in the order of the table of variants."""


def read_matrix(metrics: Sequence[Path], variants: Sequence[str]) -> Matrix:
    """Group runs, given by their metrics.json, by test set and training set.

    Raises InputError as `collect_runs` does.
    """
    cells: Matrix = {}
    for path in metrics:
        run = Run(path.parent, {path.name: path})
        cells.setdefault(run.benchmark, []).append(run)
    return {benchmark: collect_runs(runs, variants) for benchmark, runs in cells.items()}


def tested_rows(runs: Sequence[Run]) -> dict[str, TableRow]:
    """Summarise the test feature of each variant over its seeds, by variant."""
    first: dict[str, TableRow] = {}
    for row in summarise_runs(runs):
        first.setdefault(row.variant, row)
    return first


def axes_of(matrix: Mapping[Benchmark, object]) -> tuple[list[str], list[str]]:
    """Return the training sets and the test sets, the rows and columns of the matrix."""
    trained = dict.fromkeys(benchmark.trained_on for benchmark in matrix)
    return list(trained), list(dict.fromkeys(benchmark.dataset for benchmark in matrix))


def _cell(row: TableRow) -> str:
    return " / ".join(format_cell(row.mean[name], row.std[name]) for name in HEADLINES)


def _write_markdown(path: Path, matrix: Matrix, variants: Sequence[str]) -> None:
    rows = {benchmark: tested_rows(runs) for benchmark, runs in matrix.items()}
    trained_on, tested_on = axes_of(matrix)
    lines = []
    for variant in variants:
        for trained in trained_on:
            cells = (rows[Benchmark(tested, trained)][variant] for tested in tested_on)
            lines.append([variant, trained, *map(_cell, cells)])
    seeds = next(iter(rows.values()))[variants[0]].seeds
    caption = (
        f"{' / '.join(HEADLINES.values())} of the test feature, in percent: {over_seeds(seeds)}. "
        "Rows: training set (+: joint training). Columns: test set."
    )
    header = ["variant", "trained on", *tested_on]
    write_markdown(path, caption, "ll" + "r" * len(tested_on), header, lines)


def tabulate_cross_domain(
    metrics: list[Path], csv: Path, markdown: Path, each: Path, variants: list[str]
) -> None:
    """Write the matrix of the runs with the files `metrics`, for `variants` in their order.

    `csv` and `each` have the columns of the two CSV files of `tabulate`: a row per cell, variant
    and feature over the seeds, and a row per run with its metrics file and hashes. `markdown` has
    a row per variant and training set, and a column per test set. Raises InputError as
    `collect_runs` and `summarise_runs` do.
    """
    matrix = read_matrix(metrics, variants)
    summaries = {benchmark: summarise_runs(runs) for benchmark, runs in matrix.items()}
    titles = metric_titles(row.mean for rows in summaries.values() for row in rows)
    rows = [csv_row(cell, row, titles) for cell in summaries for row in summaries[cell]]
    each_row = [
        run_row(run, feature, titles)
        for runs in matrix.values()
        for run in runs
        for feature in run.metrics
    ]
    write_csv(csv, pd.DataFrame(rows, columns=table_columns(titles)))
    write_csv(each, pd.DataFrame(each_row))
    _write_markdown(markdown, matrix, variants)
