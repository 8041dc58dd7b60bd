"""Stage: mean and standard deviation over seeds, as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv as csv_format
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.errors import InputError
from pipeline.evaluation.features import RERANKED
from pipeline.files import atomic_file, sha256
from pipeline.options.evaluation import RerankOptions
from pipeline.run import HEADLINES, Benchmark, Run
from pipeline.storage import plain_names
from pipeline.tables.published import published_rows
from pipeline.tables.runs import TITLES, collect_runs, metric_titles


def table_columns(names: Iterable[str]) -> tuple[str, ...]:
    """Return the columns of a CSV table, for the metrics `names`."""
    numbers = (f"{name}_{part}" for name in names for part in ("mean", "std"))
    return "dataset", "trained_on", "variant", "feature", "seeds", *numbers


COLUMNS = table_columns(TITLES)
"""Columns that every table has."""


class TableRow(NamedTuple):
    """A feature of a variant over its seeds, in percent."""

    variant: str
    feature: str
    seeds: int
    mean: dict[str, float]
    std: dict[str, float | None]
    """Sample standard deviation (n - 1); None for one seed."""


def _row(variant: str, feature: str, runs: Sequence[Run]) -> TableRow:
    names = runs[0].metrics[feature]
    values = {name: np.array([run.metrics[feature][name] for run in runs]) for name in names}
    several = len(runs) > 1
    return TableRow(
        variant,
        feature,
        len(runs),
        {name: float(value.mean()) for name, value in values.items()},
        {name: float(value.std(ddof=1)) if several else None for name, value in values.items()},
    )


def summarise_runs(runs: Sequence[Run]) -> list[TableRow]:
    """Summarise runs: one row per variant and feature, the test feature of a variant first.

    Raises InputError if the runs of a variant do not have the same features.
    """
    rows = []
    for variant in dict.fromkeys(run.variant for run in runs):
        own = [run for run in runs if run.variant == variant]
        for run in own[1:]:
            if run.metrics.keys() != own[0].metrics.keys():
                raise InputError(
                    f"{run.folder}: expected the features {', '.join(own[0].metrics)} of "
                    f"{own[0].folder}, found {', '.join(run.metrics)}: score both again"
                )
        rows += [_row(variant, feature, own) for feature in own[0].metrics]
    return rows


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table whole or not at all, numbers with four decimals."""
    with atomic_file(path) as partial:
        table.to_csv(partial, index=False, float_format="%.4f", lineterminator="\n")


def write_text(path: Path, text: str) -> None:
    """Write a text atomically."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_markdown(
    path: Path, caption: str, align: str, header: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    """Write a table in Markdown below its caption; `align` has l or r for each column."""
    rule = ["---:" if side == "r" else "---" for side in align]
    lines = [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]
    write_text(path, "\n".join([caption, "", *lines, ""]).replace("*", r"\*"))


def read_table(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Read the rows of a CSV table by variant and feature; InputError if it is invalid."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv_format.DictReader(file))
    except FileNotFoundError:
        raise InputError(f"{path}: no such table: make it first") from None
    except (UnicodeDecodeError, csv_format.Error):
        rows = []
    if not rows or not all(map(_is_row, rows)):
        raise InputError(
            f"{path}: expected a table with the columns {','.join(COLUMNS)}, found another file: "
            "make it again"
        )
    table: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        cell = row["variant"], row["feature"]
        if cell in table:
            raise InputError(
                f"{path}: expected one row of {'/'.join(cell)}, found those of several datasets: "
                "give the table of one experiment, results/<experiment>/tables/<table>.csv"
            )
        table[cell] = row
    return table


def _is_row(row: dict[str, Any]) -> bool:
    """Return whether a row has all columns, and numbers in those that are read."""
    try:
        for name in HEADLINES:
            float(row[f"{name}_mean"])
            float(row[f"{name}_std"] or 0)
    except (KeyError, TypeError, ValueError):
        return False
    return all(row.get(name) is not None for name in COLUMNS)


def _cells(row: TableRow, names: Iterable[str]) -> list[str]:
    """Format a row for readers."""
    numbers = (format_cell(row.mean.get(name), row.std.get(name)) for name in names)
    return [row.variant, row.feature, *numbers]


def format_cell(mean: float | None, std: float | None) -> str:
    """Format a mean and, for several seeds, its deviation for readers: `58.2 ± 1.0`."""
    if mean is None:
        return "–"
    return f"{mean:.1f}" if std is None else f"{mean:.1f} ± {std:.1f}"


def _published_cells(benchmark: Benchmark, columns: int) -> list[list[str]]:
    return [
        [item.method, f"published, {item.source}", f"{item.rank1:.1f}", f"{item.map:.1f}"]
        + ["–"] * (columns - 2)
        for item in published_rows(benchmark)
    ]


def over_seeds(seeds: int) -> str:
    """Describe the numbers of a table, for its caption."""
    return f"mean ± sample standard deviation over {seeds} seeds" if seeds > 1 else "a single seed"


def table_caption(
    benchmark: Benchmark, numbers: str, rows: Sequence[TableRow], rerank: RerankOptions | None
) -> str:
    """Return the caption of a table whose `numbers` are, for example, those of `over_seeds`."""
    caption = f"{benchmark}, in percent: {numbers}."
    if metric_titles(row.mean for row in rows) != TITLES:
        caption += " Columns marked as whole: queries without occlusion, against the same gallery."
    if published_rows(benchmark):
        caption += " Rows marked as published are others' runs, as the source gives or quotes them."
    if rerank is not None:
        caption += (
            f" Rows that end in {RERANKED} are k-reciprocally re-ranked (k1 {rerank.k1}, "
            f"k2 {rerank.k2}, lambda {rerank.lambda_value:g}): they do not compare with rows that "
            "are not."
        )
    return caption


def _latex_text(text: str) -> str:
    return text.replace("_", r"\_").replace("±", r"$\pm$").replace("–", "--")


def _latex_line(cells: Iterable[str]) -> str:
    return " & ".join(map(_latex_text, cells)) + r" \\"


def latex_table(
    caption: str, align: str, header: Sequence[str], *blocks: Sequence[Sequence[str]]
) -> str:
    """The table in LaTeX, a rule above each block of rows; it needs the package booktabs."""
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{_latex_text(caption)}}}"]
    lines += [rf"\begin{{tabular}}{{{align}}}", r"\toprule", _latex_line(header)]
    for block in filter(None, blocks):
        lines += [r"\midrule", *map(_latex_line, block)]
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def run_row(run: Run, feature: str, names: Iterable[str]) -> dict[str, Any]:
    """Return a run's metrics `names` of a feature, with the metrics file and its hash."""
    path = run.path("metrics.json")
    return {
        **run.benchmark._asdict(),
        **{"variant": run.variant, "seed": run.seed, "feature": feature},
        **{name: run.metrics[feature].get(name) for name in names},
        "metrics": plain_names(path.as_posix()),
        **{"metrics_sha256": sha256(path), "run": run.scores["run"]},
    }


def csv_row(benchmark: Benchmark, row: TableRow, names: Iterable[str]) -> list[Any]:
    """Return the values of `table_columns` for the metrics `names`."""
    numbers = [part.get(name) for name in names for part in (row.mean, row.std)]
    return [*benchmark, row.variant, row.feature, row.seeds, *numbers]


class TableFiles(NamedTuple):
    """Outputs of `tabulate`."""

    csv: Path
    markdown: Path
    latex: Path
    each: Path


def tabulate(
    runs: list[Run], csv: Path, markdown: Path, latex: Path, each: Path, variants: list[str]
) -> None:
    """Write the table of `variants`, in their order.

    `csv`, `markdown` and `latex` have one row per variant and feature, over the seeds; `each` has
    one row per run and feature, with the metrics file, its hash and that of the run's record. If
    the dataset has whole-body queries, each row has their metrics too.
    Raises InputError as `collect_runs` and `summarise_runs` do.
    """
    found = collect_runs(runs, variants)
    rows = summarise_runs(found)
    caption = table_caption(found[0].benchmark, over_seeds(rows[0].seeds), rows, found[0].rerank)
    write_tables(TableFiles(csv, markdown, latex, each), found, rows, caption)


def write_tables(
    files: TableFiles,
    runs: Sequence[Run],
    rows: Sequence[TableRow],
    caption: str,
    missing_seeds: Mapping[str, str] | None = None,
) -> None:
    """Write the summary `rows` of `runs`, and the runs themselves.

    `missing_seeds`, by variant, is a column of the CSV file if it is given.
    """
    titles, benchmark = metric_titles(row.mean for row in rows), runs[0].benchmark
    header, align = ["variant", "feature", *titles.values()], "ll" + "r" * len(titles)
    own = [_cells(row, titles) for row in rows]
    published = _published_cells(benchmark, len(titles))
    each_row = [run_row(run, feature, titles) for run in runs for feature in run.metrics]
    write_csv(files.each, pd.DataFrame(each_row))
    write_markdown(files.markdown, caption, align, header, own + published)
    write_text(files.latex, latex_table(caption, align, header, own, published))
    table = [csv_row(benchmark, row, titles) for row in rows]
    summary = pd.DataFrame(table, columns=table_columns(titles))
    if missing_seeds is not None:
        summary["missing_seeds"] = [missing_seeds[row.variant] for row in rows]
    write_csv(files.csv, summary)
