"""Ranked lists of two variants for the same queries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data.shards import ShardReader
from pipeline.errors import InputError
from pipeline.evaluation.metrics import l2_normalise
from pipeline.figures.queries import average_precision, choose_queries, how_chosen
from pipeline.figures.sheets import (
    BLUE,
    GREEN,
    VERMILION,
    Layout,
    SheetRow,
    Tile,
    draw_sheet,
    save_figure,
)
from pipeline.options.figures import FigureOptions
from pipeline.run import Run

LAYOUT = Layout(height=132, width=66, label=152, group=2)


def read_distances(run: Run, queries: Sequence[str]) -> dict[str, np.ndarray]:
    """Euclidean distances (T,), 0..2, of each query to its top10, by query; features of length 1.

    Raises InputError when the run's features lack one of these images.
    """
    arrays = run.features()
    places = {
        split: pd.Index(arrays[f"{split}_keys"].astype(object)) for split in ("query", "gallery")
    }
    query, gallery = (arrays[f"{split}_{run.test_feature}"] for split in places)
    distances = {}
    for key in queries:
        rows = places["query"].get_indexer([key])
        columns = places["gallery"].get_indexer(run.queries.loc[key, "top10"])
        if (rows < 0).any() or (columns < 0).any():
            raise InputError(
                f"{run.path('features.npz')}: lacks query {key!r} or one of its top10 in "
                "queries.csv: embed and score the run again"
            )
        difference = l2_normalise(query[rows]) - l2_normalise(gallery[columns])
        distances[key] = np.linalg.norm(difference, axis=1)
    return distances


def gains(baseline: pd.Series, variant: pd.Series) -> pd.Series:
    """How much average precision each query gains from the one run to the other.

    Raises InputError when the runs did not answer the same queries.
    """
    if set(baseline.index) != set(variant.index):
        raise InputError(
            "ranks: expected two runs with the same queries, found different ones: evaluate both "
            "on the same shards"
        )
    return variant - baseline


def frame_colour(query_identity: int, gallery_identity: int) -> str:
    """Green where the gallery image shows the query's identity, orange elsewhere."""
    return GREEN if query_identity == gallery_identity else VERMILION


def _by_key(reader: ShardReader) -> pd.DataFrame:
    """Position, identity and camera of each image, by key."""
    return reader.index.assign(position=np.arange(len(reader))).set_index("key")


def ranked_row(
    run: Run,
    query: str,
    distances: np.ndarray,
    readers: tuple[ShardReader, ShardReader],
) -> SheetRow:
    """A query and its ten nearest of the gallery, each with its camera and its distance.

    `readers` are of the query and the gallery split.
    """
    asked, images = (_by_key(reader) for reader in readers)
    row, place = run.queries.loc[query], asked.loc[query]
    tiles: list[Tile | None] = [
        Tile(readers[0].image(int(place["position"])), f"query c{place['camera']}", BLUE)
    ]
    for key, distance in zip(row["top10"], distances, strict=True):
        found = images.loc[key]
        colour = frame_colour(int(place["identity"]), int(found["identity"]))
        mark = "✓" if colour == GREEN else "✗"
        caption = f"{mark} c{found['camera']} {distance:.2f}"
        tiles.append(Tile(readers[1].image(int(found["position"])), caption, colour))
    label = f"{run.variant}\nseed {run.seed}, {run.test_feature}\n{average_precision(row['ap'])}"
    return SheetRow(label, tiles)


def draw_ranks(
    shards: Path, baseline: Run, variant: Run, figure: Path, options: FigureOptions
) -> None:
    """Draw the ten best of the gallery by two runs, one below the other, for the same queries.

    `options` say which queries, or how many:
    half gain most average precision from the one run to the other, half lose most. Raises
    InputError when a key is no query or the runs answered different queries.
    """
    runs = baseline, variant
    chosen = choose_queries(gains(*(run.queries["ap"] for run in runs)), options)
    readers = ShardReader(shards, "query"), ShardReader(shards, "gallery")
    distances = [read_distances(run, chosen) for run in runs]
    rows = [
        ranked_row(run, query, found[query], readers)
        for query in chosen
        for run, found in zip(runs, distances, strict=True)
    ]
    title = f"The ten nearest gallery images: {baseline.variant} above, {variant.variant} below"
    subtitle = (
        f"{how_chosen(options, 'gain in AP', len(chosen))} ✓ green: same identity, ✗ orange: "
        "another; below: camera, Euclidean distance."
    )
    save_figure(draw_sheet(rows, title, subtitle, LAYOUT), figure)
