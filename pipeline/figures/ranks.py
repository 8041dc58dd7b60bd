"""Figure: ranked lists of two variants for the same queries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data.shards import ShardReader
from pipeline.errors import InputError
from pipeline.evaluation.metrics import l2_normalise
from pipeline.figures.queries import choose_queries, describe_choice, format_ap
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
    """Compute the Euclidean distances (T,) of each query to its top10, in 0..2, by query.

    Features are normalised to length 1. Raises InputError if the features lack one of the images.
    """
    arrays = run.features()
    keys = {s: pd.Index(arrays[f"{s}_keys"].astype(object)) for s in ("query", "gallery")}
    query, gallery = (arrays[f"{split}_{run.test_feature}"] for split in keys)
    distances = {}
    for key in queries:
        rows = keys["query"].get_indexer([key])
        columns = keys["gallery"].get_indexer(run.queries.loc[key, "top10"])
        if (rows < 0).any() or (columns < 0).any():
            raise InputError(
                f"{run.path('features.npz')}: expected query {key!r} and its top10 in queries.csv, "
                "found other images: embed and score the run again"
            )
        difference = l2_normalise(query[rows]) - l2_normalise(gallery[columns])
        distances[key] = np.linalg.norm(difference, axis=1)
    return distances


def ap_gains(baseline: pd.Series, variant: pd.Series) -> pd.Series:
    """Subtract the APs of `baseline` from those of `variant`, by query.

    Raises InputError unless both have the same queries.
    """
    if set(baseline.index) != set(variant.index):
        raise InputError(
            "ranks: expected two runs with the same queries, found different ones: evaluate both "
            "on the same shards"
        )
    return variant - baseline


def _by_key(reader: ShardReader) -> pd.DataFrame:
    """Return position, identity and camera of each image, by key."""
    return reader.index.assign(position=np.arange(len(reader))).set_index("key")


def ranked_row(
    run: Run,
    query: str,
    distances: np.ndarray,
    readers: tuple[ShardReader, ShardReader],
) -> SheetRow:
    """Return a query and its top10 with cameras and distances, framed green for the same identity.

    `readers` are those of query and gallery.
    """
    queries, gallery = (_by_key(reader) for reader in readers)
    row, own = run.queries.loc[query], queries.loc[query]
    tiles = [Tile(readers[0].image(int(own["position"])), f"query c{own['camera']}", BLUE)]
    for key, distance in zip(row["top10"], distances, strict=True):
        other = gallery.loc[key]
        mark, colour = ("✓", GREEN) if other["identity"] == own["identity"] else ("✗", VERMILION)
        caption = f"{mark} c{other['camera']} {distance:.2f}"
        tiles.append(Tile(readers[1].image(int(other["position"])), caption, colour))
    label = f"{run.variant}\nseed {run.seed}, {run.test_feature}\n{format_ap(row['ap'])}"
    return SheetRow(label, tiles)


def draw_ranks(
    shards: Path, baseline: Run, variant: Run, figure: Path, options: FigureOptions
) -> None:
    """Draw the top10 of `baseline` above those of `variant` for the same queries to a PNG.

    Without `options.queries`, half of them gain the most AP and half lose the most. Raises
    InputError for an unknown key in `options.queries`, and for runs with different queries.
    """
    runs = baseline, variant
    chosen = choose_queries(ap_gains(*(run.queries["ap"] for run in runs)), options)
    readers = ShardReader(shards, "query"), ShardReader(shards, "gallery")
    distances = [read_distances(run, chosen) for run in runs]
    rows = [
        ranked_row(run, query, by_query[query], readers)
        for query in chosen
        for run, by_query in zip(runs, distances, strict=True)
    ]
    title = f"Ten nearest gallery images: {baseline.variant} above {variant.variant}"
    subtitle = (
        f"{describe_choice(options, 'AP gain', len(chosen))} ✓ green: same identity, ✗ orange: "
        "other; camera, Euclidean distance."
    )
    save_figure(draw_sheet(rows, title, subtitle, LAYOUT), figure)
