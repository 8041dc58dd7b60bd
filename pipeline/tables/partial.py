"""Stage: the table of the runs that are finished, which says which ones are missing."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import InputError
from pipeline.run import Run
from pipeline.tables.runs import missing_runs, sort_runs
from pipeline.tables.tabulate import (
    TableFiles,
    TableRow,
    summarise_runs,
    table_caption,
    write_tables,
)


def tabulate_partial(
    runs: list[Run],
    csv: Path,
    markdown: Path,
    latex: Path,
    each: Path,
    variants: list[str],
    seeds: list[int],
) -> None:
    """Write the tables of `tabulate` from some of the runs of `variants` and `seeds`.

    The caption names the missing runs. `csv` has the column missing_seeds. A variant without runs
    has a row without numbers.
    Raises InputError as `sort_runs` and `summarise_runs` do, and if there is no run.
    """
    if not runs:
        raise InputError("runs: found no finished run, expected one: train and score it")
    found = sort_runs(runs, variants)
    missing: dict[str, list[int]] = {name: [] for name in variants}
    for name, seed in missing_runs(found, variants, seeds):
        missing[name].append(seed)
    present = summarise_runs(found)
    empty = [TableRow(name, "", 0, {}, {}) for name in variants if missing[name] == seeds]
    rows = sorted([*present, *empty], key=lambda row: variants.index(row.variant))
    text = {name: " ".join(map(str, absent)) for name, absent in missing.items()}
    numbers = f"mean ± sample standard deviation over the finished seeds. {_describe(missing)}"
    caption = table_caption(found[0].benchmark, numbers, present, found[0].rerank)
    write_tables(TableFiles(csv, markdown, latex, each), found, rows, caption, text)


def _describe(missing: dict[str, list[int]]) -> str:
    """Return a sentence, without its full stop, that names the missing runs."""
    parts = [
        f"{name} seed {', '.join(map(str, seeds))}" for name, seeds in missing.items() if seeds
    ]
    return f"Missing runs: {'; '.join(parts)}" if parts else "No run is missing"
