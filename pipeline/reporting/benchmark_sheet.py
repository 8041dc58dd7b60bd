"""A contact sheet of a benchmark: what is trained on, what is asked, what is searched."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.cli import run_stage
from pipeline.data.shards import ShardReader
from pipeline.reporting.sheets import (
    BLUE,
    Layout,
    Row,
    Tile,
    draw_sheet,
    evenly,
    save_figure,
)

COLUMNS = 10
TRAINED, ASKED = 3, 4
"""Identities shown of the training split and of the queries."""
QUERIES = 3
"""Queries shown of an identity at most."""
LAYOUT = Layout(height=160, width=80, label=130)


def _tiles(reader: ShardReader, rows: pd.DataFrame, word: str, frame: str | None) -> list[Tile]:
    return [
        Tile(reader.image(index), f"{word}c{camera}", frame)
        for index, camera in zip(rows.index, rows["camera"], strict=True)
    ]


def _of(reader: ShardReader, identity: int, most: int) -> pd.DataFrame:
    """Images of an identity, spread evenly when there are more than `most`."""
    rows = reader.index.reset_index(drop=True)
    rows = rows[rows["identity"] == identity]
    return rows.iloc[evenly(len(rows), most)]


def _spread(reader: ShardReader, chosen: int) -> list[int]:
    """Real identities, evenly spread; junk (-1) and distractors (0) are no identities."""
    identities = sorted({int(i) for i in reader.index["identity"] if i > 0})
    return [identities[i] for i in evenly(len(identities), chosen)]


def _search_row(query: ShardReader, gallery: ShardReader, identity: int) -> Row:
    asked = _tiles(query, _of(query, identity, QUERIES), "query ", BLUE)
    found = _tiles(gallery, _of(gallery, identity, COLUMNS - len(asked)), "", None)
    return Row(f"query and gallery\nidentity {identity}", [*asked, *found])


def benchmark_rows(train: ShardReader, query: ShardReader, gallery: ShardReader) -> list[Row]:
    """Rows of training identities, then of queries (blue) with their gallery, then distractors."""
    rows = [
        Row(
            f"training\nidentity {identity}", _tiles(train, _of(train, identity, COLUMNS), "", None)
        )
        for identity in _spread(train, TRAINED)
    ]
    rows += [_search_row(query, gallery, identity) for identity in _spread(query, ASKED)]
    distractors = _of(gallery, 0, COLUMNS)
    if len(distractors):
        rows.append(Row("gallery\ndistractors", _tiles(gallery, distractors, "", None)))
    return rows


def draw_benchmark_sheet(shards: Path, figure: Path) -> None:
    """Draw images of evenly chosen identities, with their cameras, to a PNG.

    Raises InputError when the shards are missing or broken.
    """
    train, query, gallery = (ShardReader(shards, name) for name in ("train", "query", "gallery"))
    title = (
        f"The benchmark: {len(train)} training images, {len(query)} queries, "
        f"{len(gallery)} gallery images"
    )
    subtitle = (
        "Identities spread evenly over the sorted list. Below each image its camera; "
        "queries have a blue frame."
    )
    rows = benchmark_rows(train, query, gallery)
    save_figure(draw_sheet(rows, title, subtitle, LAYOUT), figure)


if __name__ == "__main__":
    run_stage(draw_benchmark_sheet)
