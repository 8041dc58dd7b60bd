"""Where a result comes from: every file down to the archive, held against its hash."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import InputError, some
from pipeline.provenance.chain import Chain
from pipeline.provenance.links import BAD, GONE, Link, bad_files, tree_lines, walk
from pipeline.run import HEADLINES
from pipeline.tables.tabulate import read_table


def trace(file: Path, cell: str = "") -> None:
    """Print what a result was made of, and check all of it.

    `file` is anything that the workflow made. Where it is a table, results/<experiment>/tables/
    <table>.csv, `cell` may be a row of it, as variant/feature, or a variant: its test feature; of
    the runs, those of the row alone are followed then. Every file of the chain is hashed again;
    nothing is computed, and nothing written. Paths are those of the records: it runs where the
    workflow ran. Raises InputError that names each file that is not as it was recorded.
    """
    if not file.exists():
        raise InputError(f"{file}: there is no such file: make it first, snakemake --cores all")
    link = Chain().follow(file)
    if cell and link.state not in BAD:
        print(_headline(_choose(file, cell)))
        link = _of_variant(link, cell.partition("/")[0])
    print("\n".join(tree_lines((link,))))
    print(f"\n{_verdict((link,), file)}")


def _choose(table: Path, cell: str) -> dict[str, str]:
    """The row that is asked for; the first of a variant is its test feature."""
    rows = read_table(table)
    named = {f"{variant}/{feature}": row for (variant, feature), row in rows.items()}
    first = {variant: row for (variant, _), row in reversed(rows.items())}
    if cell not in named | first:
        raise InputError(
            f"{table}: expected cell to be a row, as variant/feature, found {cell!r}: give one of "
            f"{some(list(named))}"
        )
    return (named | first)[cell]


def _of_variant(table: Link, variant: str) -> Link:
    """The table, made of the runs of one variant: results/<experiment>/<variant>/seed<n>."""
    runs = (run for run in table.inputs if f"/{variant}/seed" in run.name)
    return table._replace(inputs=tuple(runs))


def _headline(row: dict[str, str]) -> str:
    parts = []
    for name, title in HEADLINES.items():
        spread = row[f"{name}_std"]
        parts.append(f"{title} {row[f'{name}_mean']}" + (f" ± {spread}" if spread else ""))
    return f"{row['variant']}, {row['feature']}: {', '.join(parts)}; seeds: {row['seeds']}"


def _verdict(links: tuple[Link, ...], file: Path) -> str:
    """How many agree; InputError with the names of those that do not."""
    bad = bad_files(links)
    if bad:
        lines = "\n  ".join(f"{link.state} {link.name}" for link in bad)
        raise InputError(
            f"{file}: {len(bad)} files are not what it was made of:\n  {lines}\nput them back, or "
            "let the workflow make them and it again"
        )
    states = [link.state for link in walk(links)]
    return (
        f"{file}: all {len(states)} files and folders that it was made of are as recorded; sources "
        f"that are gone: {states.count(GONE)}"
    )
