"""A contact sheet of a benchmark: what is trained on, what is asked, what is searched."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.data.names import DISTRACTOR
from pipeline.data.shards import ShardReader
from pipeline.figures.sheets import (
    BLUE,
    Layout,
    SheetRow,
    Tile,
    draw_sheet,
    evenly,
    save_figure,
)

COLUMNS = 13
TRAINED, ASKED = 3, 6
"""Identities shown of the training split and of the queries."""
QUERIES, GALLERY = 2, 4
"""Images shown at most of an identity that is asked for; two such identities fill a row."""
LAYOUT = Layout(height=144, width=72, label=112)


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
    """Real identities, evenly spread; junk and distractors are no identities."""
    identities = sorted({int(i) for i in reader.index["identity"] if i > DISTRACTOR})
    return [identities[i] for i in evenly(len(identities), chosen)]


def _search(query: ShardReader, gallery: ShardReader, identity: int) -> list[Tile | None]:
    """Queries of an identity, then its gallery, in as many cells whatever there is."""
    asked = _tiles(query, _of(query, identity, QUERIES), "query ", BLUE)
    tiles = [*asked, *_tiles(gallery, _of(gallery, identity, GALLERY), "", None)]
    return [*tiles, *[None] * (QUERIES + GALLERY - len(tiles))]


def benchmark_rows(train: ShardReader, query: ShardReader, gallery: ShardReader) -> list[SheetRow]:
    """Rows of training identities, of queries (blue) with their gallery, and of distractors."""
    rows = [
        SheetRow(
            f"training\nidentity {identity}", _tiles(train, _of(train, identity, COLUMNS), "", None)
        )
        for identity in _spread(train, TRAINED)
    ]
    asked = _spread(query, ASKED)
    for pair in (asked[i : i + 2] for i in range(0, len(asked), 2)):
        cells = [_search(query, gallery, identity) for identity in pair]
        label = "test identities" if len(pair) > 1 else "test identity"
        row = [*cells[0], None, *cells[1]] if len(pair) > 1 else cells[0]
        rows.append(SheetRow(f"{label}\n{', '.join(map(str, pair))}", row))
    distractors = _of(gallery, DISTRACTOR, COLUMNS)
    if len(distractors):
        rows.append(SheetRow("gallery\ndistractors", _tiles(gallery, distractors, "", None)))
    return rows


def draw_benchmark_sheet(trained: Path, tested: Path, figure: Path) -> None:
    """Draw images of evenly chosen identities, with their cameras, to a PNG.

    `trained` and `tested` are the shards of the training images and of query and gallery.

    Raises InputError when the shards are missing or broken.
    """
    train = ShardReader(trained, "train")
    query, gallery = (ShardReader(tested, name) for name in ("query", "gallery"))
    title = (
        f"The benchmark: {len(train)} training images, {len(query)} queries, "
        f"{len(gallery)} gallery images"
    )
    subtitle = (
        "Identities spread evenly over the sorted list; below each image its camera. "
        "Blue: queries, then their gallery."
    )
    rows = benchmark_rows(train, query, gallery)
    save_figure(draw_sheet(rows, title, subtitle, LAYOUT), figure)
