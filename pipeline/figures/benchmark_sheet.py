"""Figure: contact sheet of a dataset, with training images, queries and gallery."""

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
    evenly_spaced,
    save_figure,
)

COLUMNS = 13
TRAIN_IDENTITIES, QUERY_IDENTITIES = 3, 6
QUERIES, GALLERY = 2, 4
"""Maximum number of images of a test identity; two identities fill a row."""
LAYOUT = Layout(height=144, width=72, label=112)


def _tiles(reader: ShardReader, rows: pd.DataFrame, word: str, frame: str | None) -> list[Tile]:
    return [
        Tile(reader.image(index), f"{word}c{camera}", frame)
        for index, camera in zip(rows.index, rows["camera"], strict=True)
    ]


def _images_of(reader: ShardReader, identity: int, limit: int) -> pd.DataFrame:
    """Return the rows of at most `limit` evenly spaced images of an identity."""
    rows = reader.index.reset_index(drop=True)
    rows = rows[rows["identity"] == identity]
    return rows.iloc[evenly_spaced(len(rows), limit)]


def _identities(reader: ShardReader, count: int) -> list[int]:
    """Return at most `count` evenly spaced identities, without junk and distractors."""
    identities = sorted({int(i) for i in reader.index["identity"] if i > DISTRACTOR})
    return [identities[i] for i in evenly_spaced(len(identities), count)]


def _test_tiles(query: ShardReader, gallery: ShardReader, identity: int) -> list[Tile | None]:
    """Return queries and gallery images of an identity, padded to a fixed number of cells."""
    queries = _tiles(query, _images_of(query, identity, QUERIES), "query ", BLUE)
    tiles = [*queries, *_tiles(gallery, _images_of(gallery, identity, GALLERY), "", None)]
    return [*tiles, *[None] * (QUERIES + GALLERY - len(tiles))]


def benchmark_rows(train: ShardReader, query: ShardReader, gallery: ShardReader) -> list[SheetRow]:
    """Return rows of training identities, of queries (blue) with their gallery, and distractors."""
    rows = []
    for identity in _identities(train, TRAIN_IDENTITIES):
        tiles = _tiles(train, _images_of(train, identity, COLUMNS), "", None)
        rows.append(SheetRow(f"training\nidentity {identity}", tiles))
    tested = _identities(query, QUERY_IDENTITIES)
    for pair in (tested[i : i + 2] for i in range(0, len(tested), 2)):
        cells = [_test_tiles(query, gallery, identity) for identity in pair]
        label = "test identities" if len(pair) > 1 else "test identity"
        row = [*cells[0], None, *cells[1]] if len(pair) > 1 else cells[0]
        rows.append(SheetRow(f"{label}\n{', '.join(map(str, pair))}", row))
    distractors = _images_of(gallery, DISTRACTOR, COLUMNS)
    if len(distractors):
        rows.append(SheetRow("gallery\ndistractors", _tiles(gallery, distractors, "", None)))
    return rows


def draw_benchmark_sheet(trained: Path, tested: Path, figure: Path) -> None:
    """Draw images of evenly spaced identities, with their cameras, to a PNG.

    `trained` are the shards of the training images, `tested` those of query and gallery. Raises
    InputError for shards that are missing or damaged.
    """
    train = ShardReader(trained, "train")
    query, gallery = (ShardReader(tested, name) for name in ("query", "gallery"))
    title = (
        f"The dataset: {len(train)} training images, {len(query)} queries, "
        f"{len(gallery)} gallery images"
    )
    subtitle = (
        "Evenly spaced identities. Below each image: its camera. Blue frame: query, followed by "
        "gallery images of the same identity."
    )
    rows = benchmark_rows(train, query, gallery)
    save_figure(draw_sheet(rows, title, subtitle, LAYOUT), figure)
