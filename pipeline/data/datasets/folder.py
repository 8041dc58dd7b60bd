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
        rows = [(reader.line_num, row) for row in reader]
    images: dict[tuple[str, str], Listed] = {}
    wrong: list[str] = []
    for line, row in rows:
        place = (row["path"], row["split"])
        problem = _problem(folder, row) or ("found it twice" if place in images else None)
        if problem:
            wrong.append(f"line {line}: {problem}")
        else:
            images[place] = Listed(*place, Label(int(row["id"]), int(row["camera"])))
    if wrong:
        raise InputError(f"{TABLE}: {len(wrong)} lines are wrong:\n  " + some(wrong, "\n  "))
    return list(images.values())


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


FOLDER = Dataset(
    title="your own images",
    layouts=(
        Layout((TABLE,), read_table),
        folders(EXAMPLE, *(Part(split, split, parse_name) for split in SPLITS)),
    ),
    archive=f"a folder with {TABLE}, or with train, query and gallery",
)
