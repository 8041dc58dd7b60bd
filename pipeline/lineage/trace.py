"""Where a cell of a table comes from: every file down to the archive, held against its hash."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.cli import run_stage
from pipeline.errors import InputError, some
from pipeline.lineage.chain import Lineage
from pipeline.lineage.links import (
    BROKEN,
    CHANGED,
    GONE,
    MISSING,
    NO_HASH,
    OK,
    Link,
    bad_files,
    draw,
    walk,
)
from pipeline.options.sources import SourceFiles
from pipeline.tables.tabulate import COLUMNS, RUN_COLUMNS, tabulate

Rows = list[dict[str, str]]
OUTPUTS = {"csv": ".csv", "markdown": ".md", "latex": ".tex", "runs": "_runs.csv"}
"""What `tabulate` writes, by the end of the name."""


def trace(table: Path, cell: str = "", sources: SourceFiles | None = None) -> None:
    """Print what a cell of a table was made of, and check all of it.

    `table` is a CSV below results/<experiment>/tables; `cell` is a row of it, as variant/feature,
    or the test feature of a variant, or empty: that of each variant. Every file of the chain is
    hashed again, and the table made again from its runs' metrics; nothing else is computed, and
    nothing written. Paths are those of the records: it runs where the workflow ran; `sources` says
    where the rest is, None: at the defaults. Raises InputError that names each file that is not as
    it was recorded.
    """
    rows, runs = _read(table, COLUMNS), _read(_beside(table, OUTPUTS["runs"]), RUN_COLUMNS)
    lineage = Lineage(table.parent.parent.parent, sources or SourceFiles())
    found = list(_made_again(table, runs))
    print("\n".join(draw(tuple(found))))
    drawn: set[Link] = set()
    for row in _choose(rows, cell, table):
        links = tuple(_run_links(lineage, runs, row["variant"]))
        print(f"\n{_headline(row)}")
        print("\n".join(draw(links, drawn=drawn)))
        found += links
    print(f"\n{_verdict(tuple(found), table)}")


def _read(path: Path, columns: Sequence[str]) -> Rows:
    if not path.is_file():
        raise InputError(f"{path}: there is no such table: make it first, snakemake --cores all")
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not set(columns) <= set(rows[0]):
        raise InputError(
            f"{path}: expected a table with the columns {','.join(columns)}: it was changed, or is "
            "of an older version; make it again"
        )
    return rows


def _beside(table: Path, end: str) -> Path:
    return table.with_name(table.stem + end)


def _choose(rows: Rows, cell: str, table: Path) -> Rows:
    """The rows that are asked for; the first of a variant is its test feature."""
    first: dict[str, dict[str, str]] = {}
    for row in rows:
        first.setdefault(row["variant"], row)
    if not cell:
        return list(first.values())
    known = first | {f"{row['variant']}/{row['feature']}": row for row in rows}
    if cell not in known:
        raise InputError(
            f"{table}: expected cell to be a row, as variant/feature, found {cell!r}: give one of "
            f"{some(list(known)[len(first) :])}"
        )
    return [known[cell]]


def _made_again(table: Path, runs: Rows) -> Iterator[Link]:
    """The files of the table, against what the metrics of its runs give."""
    with TemporaryDirectory() as folder:
        again = {name: Path(folder) / name for name in OUTPUTS}
        metrics = [Path(path) for path in dict.fromkeys(row["metrics"] for row in runs)]
        variants = ",".join(dict.fromkeys(row["variant"] for row in runs))
        try:
            tabulate(metrics=metrics, variants=variants, **again)
        except (InputError, OSError) as error:
            named = _beside(table, OUTPUTS["runs"])
            yield Link(BROKEN, str(named), note=f"the table cannot be made again: {error}")
            return
        for name, end in OUTPUTS.items():
            yield _compare(_beside(table, end), again[name])


def _compare(path: Path, again: Path) -> Link:
    if not path.is_file():
        return Link(MISSING, str(path))
    if path.read_bytes() == again.read_bytes():
        return Link(OK, str(path), note="as the metrics of its runs give it")
    found, expected = (file.read_bytes().splitlines() for file in (path, again))
    same = sum(1 for _ in _common(found, expected))
    return Link(CHANGED, str(path), note=f"line {same + 1} is not what the metrics give")


def _common(found: Sequence[bytes], expected: Sequence[bytes]) -> Iterator[bytes]:
    """The lines before the first that differs."""
    for one, other in zip(found, expected, strict=False):
        if one != other:
            return
        yield one


def _run_links(lineage: Lineage, runs: Rows, variant: str) -> Iterator[Link]:
    """The metrics of each run of a variant."""
    own = {row["metrics"]: row for row in runs if row["variant"] == variant}
    for path, row in own.items():
        yield lineage.metrics(Path(path), row.get("metrics_sha256"))


def _headline(row: dict[str, str]) -> str:
    parts = []
    for title, name in (("Rank-1", "rank1"), ("mAP", "map")):
        spread = row[f"{name}_std"]
        parts.append(f"{title} {row[f'{name}_mean']}" + (f" ± {spread}" if spread else ""))
    return f"{row['variant']}, {row['feature']}: {', '.join(parts)}; seeds: {row['seeds']}"


def _verdict(links: tuple[Link, ...], table: Path) -> str:
    """How many agree; InputError with the names of those that do not."""
    bad = bad_files(links)
    if bad:
        lines = "\n  ".join(f"{link.state} {link.name}" for link in bad)
        raise InputError(
            f"{table}: {len(bad)} files are not what it was made of:\n  {lines}\nput them back, or "
            "let the workflow make them and the table again"
        )
    counts = {state: sum(link.state == state for link in walk(links)) for state in (GONE, NO_HASH)}
    return (
        f"{table}: made again from its runs' metrics, and every file that it was made of is as "
        f"recorded; sources that are gone: {counts[GONE]}; without a recorded hash: "
        f"{counts[NO_HASH]}"
    )


if __name__ == "__main__":
    run_stage(trace)
