"""A user's own crops: three folders with telling file names, or a table beside any files."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from pipeline.data.datasets.base import Dataset, Label, Layout, Listed, Part, folders
from pipeline.data.datasets.market1501 import EXAMPLE, parse_name
from pipeline.data.names import SPLITS
from pipeline.errors import InputError, some

TABLE = "images.csv"
COLUMNS = ("path", "id", "camera", "split")
_NUMBER = re.compile(r"-1|\d{1,9}", re.ASCII)


def read_table(folder: Path) -> list[Listed]:
    """The images of images.csv: path (below its folder), id, camera, split.

    Raises InputError that names every line that is wrong.
    """
    with open(folder / TABLE, encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.DictReader(file)
        if sorted(reader.fieldnames or ()) != sorted(COLUMNS):
            raise InputError(
                f"{TABLE}: expected the columns {','.join(COLUMNS)}, found "
                f"{','.join(reader.fieldnames or ()) or 'none'}"
            )
        rows = [(f"line {reader.line_num}", row) for row in reader]
    wrong = [f"{line}: {why}" for line, row in rows if (why := _problem(folder, row))]
    places = [(row["path"], row["split"]) for _, row in rows]
    wrong += [f"{path}: twice in {split}" for path, split in sorted(_repeated(places))]
    if wrong:
        raise InputError(f"{TABLE}: {len(wrong)} lines are wrong:\n  " + some(wrong, "\n  "))
    return [
        Listed(row["path"], row["split"], Label(int(row["id"]), int(row["camera"])))
        for _, row in rows
    ]


def _problem(folder: Path, row: dict[str, str]) -> str | None:
    """What is wrong with a line, or None."""
    if set(row) != set(COLUMNS) or None in row.values():
        return f"expected {len(COLUMNS)} values"
    if row["split"] not in SPLITS:
        return f"expected a split of {', '.join(SPLITS)}, found {row['split']!r}"
    for column in ("id", "camera"):
        if not _NUMBER.fullmatch(row[column]) or (column, row[column]) == ("camera", "-1"):
            return f"expected a whole number as {column}, found {row[column]!r}"
    parts = row["path"].split("/")
    if {"", ".", ".."} & set(parts) or not (folder / row["path"]).is_file():
        return f"expected an image below the table's folder, found {row['path']!r}"
    return None


def _repeated(values: list[tuple[str, str]]) -> set[tuple[str, str]]:
    seen: set[tuple[str, str]] = set()
    return {value for value in values if value in seen or seen.add(value)}  # type: ignore[func-returns-value]


FOLDER = Dataset(
    title="your own images",
    layouts=(
        Layout((TABLE,), read_table),
        folders(EXAMPLE, *(Part(split, split, parse_name) for split in SPLITS)),
    ),
    archive=f"a folder with {TABLE}, or with train, query and gallery",
)
