"""The manifest: one row per image, the contract between ingest and the shards."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.data.names import SPLITS
from pipeline.errors import InputError
from pipeline.files import atomic_file

COLUMNS = {
    "path": "str",
    "identity": "int64",
    "camera": "int64",
    "split": "str",
    "width": "int64",
    "height": "int64",
    "sha256": "str",
}


def sort_manifest(table: pd.DataFrame) -> pd.DataFrame:
    """Sort the rows by split (as in SPLITS), identity and path."""
    rank = table["split"].map({split: i for i, split in enumerate(SPLITS)})
    ordered = table.assign(_rank=rank).sort_values(["_rank", "identity", "path"], kind="stable")
    return ordered[list(COLUMNS)].reset_index(drop=True)


def write_manifest(path: Path, table: pd.DataFrame) -> None:
    """Write the sorted rows as CSV: the same rows give the same bytes, in whatever order."""
    with atomic_file(path) as partial:
        sort_manifest(table).to_csv(partial, index=False, lineterminator="\n", encoding="utf-8")


def read_manifest(path: Path) -> pd.DataFrame:
    """Read the rows of a manifest, in its order, with the columns and types of `COLUMNS`.

    Raises InputError for other columns, values of the wrong type and unknown splits.
    """
    try:
        table = pd.read_csv(path, dtype=COLUMNS, keep_default_na=False)
    except ValueError as error:
        raise InputError(f"{path}: expected a manifest, found {error}: run ingest again") from None
    if list(table.columns) != list(COLUMNS):
        raise InputError(
            f"{path}: expected the columns {','.join(COLUMNS)}, found "
            f"{','.join(table.columns)}: run ingest again"
        )
    unknown = sorted(set(table["split"]) - set(SPLITS))
    if unknown:
        raise InputError(
            f"{path}: expected the splits {', '.join(SPLITS)}, found {', '.join(unknown)}: run "
            "ingest again"
        )
    return table
