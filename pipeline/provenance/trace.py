"""Command trace: list all files that a result depends on, and verify their hashes."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import InputError, some
from pipeline.provenance.chain import Chain
from pipeline.provenance.links import BAD, GONE, Link, bad_files, tree_lines, walk
from pipeline.run import HEADLINES
from pipeline.tables.tabulate import read_table


def trace(file: Path, cell: str = "") -> None:
    """Print the tree of inputs and sources of a result, and verify all hashes.

    `file` is any result. For a table, results/<experiment>/tables/<table>.csv, `cell` restricts the
    tree to the runs of one row: variant/feature, or a variant for its test feature. Run it in the
    working directory of the workflow, because records contain relative paths. Raises InputError
    that names each file that differs from its record.
    """
    if not file.exists():
        raise InputError(f"{file}: no such file: make it with snakemake --cores all {file}")
    link = Chain().follow(file)
    if cell and link.state not in BAD:
        print(_headline(_find_row(file, cell)))
        link = _restrict_to(link, cell.partition("/")[0])
    print("\n".join(tree_lines((link,))))
    print(f"\n{_verdict((link,), file)}")


def _find_row(table: Path, cell: str) -> dict[str, str]:
    """Return the row of `cell`; the first row of a variant is its test feature."""
    rows = read_table(table)
    named = {f"{variant}/{feature}": row for (variant, feature), row in rows.items()}
    first = {variant: row for (variant, _), row in reversed(rows.items())}
    if cell not in named | first:
        raise InputError(
            f"{table}: found no row {cell!r}, expected variant/feature: give one of "
            f"{some(list(named))}"
        )
    return (named | first)[cell]


def _restrict_to(table: Link, variant: str) -> Link:
    """Keep only the table's inputs of one variant: results/<experiment>/<variant>/seed<n>."""
    runs = (run for run in table.inputs if f"/{variant}/seed" in run.name)
    return table._replace(inputs=tuple(runs))


def _headline(row: dict[str, str]) -> str:
    parts = []
    for name, title in HEADLINES.items():
        spread = row[f"{name}_std"]
        parts.append(f"{title} {row[f'{name}_mean']}" + (f" ± {spread}" if spread else ""))
    return f"{row['variant']}, {row['feature']}: {', '.join(parts)}; seeds: {row['seeds']}"


def _verdict(links: tuple[Link, ...], file: Path) -> str:
    """Return a summary; InputError with the names of the files that differ."""
    bad = bad_files(links)
    if bad:
        lines = "\n  ".join(f"{link.state} {link.name}" for link in bad)
        raise InputError(
            f"{file}: found {len(bad)} inputs that differ from their records:\n  {lines}\n"
            f"restore them, or make them and {file.name} again"
        )
    states = [link.state for link in walk(links)]
    return (
        f"{file}: all {len(states)} files and folders agree with their records; sources that are "
        f"gone: {states.count(GONE)}"
    )
