"""Ranked lists of two variants for the same queries."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.cli import run_stage
from pipeline.data.shards import ShardReader
from pipeline.errors import InputError
from pipeline.evaluation.metrics import l2_normalise
from pipeline.evaluation.score import read_features, select_feature
from pipeline.figures.queries import (
    average_precision,
    choose_queries,
    how_chosen,
    read_queries,
)
from pipeline.figures.sheets import (
    BLUE,
    GREEN,
    VERMILION,
    Layout,
    Row,
    Tile,
    draw_sheet,
    save_figure,
)
from pipeline.files import checked_folder, read_json
from pipeline.options.figures import FigureOptions

LAYOUT = Layout(height=132, width=66, label=152, group=2)


class RankedRun(NamedTuple):
    """A scored run: its variant, its test feature, that feature's queries and distances."""

    name: str
    seed: int
    feature: str
    queries: pd.DataFrame
    """Indexed by query: identity, camera, ap in 0..1, top10 (gallery keys)."""
    distance: pd.DataFrame
    """Euclidean distance, 0..2, of query (row) and gallery image (column), both of length 1."""


def read_run(folder: Path) -> RankedRun:
    """The ranking of a run by the first feature it has of blended and coarse."""
    checked_folder(folder, "run.json", "features.npz")
    feature, queries = read_queries(folder)
    arrays = read_features(folder / "features.npz")
    query, gallery = (
        l2_normalise(select_feature(arrays, s, feature)) for s in ("query", "gallery")
    )
    squared = np.maximum(2 - 2 * query @ gallery.T, 0)  # rounding can fall below 0
    distance = pd.DataFrame(np.sqrt(squared), arrays["query_keys"], arrays["gallery_keys"])
    record = read_json(folder / "run.json")
    return RankedRun(record["variant"], record["seed"], feature, queries, distance)


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
    """Green where the gallery image shows the query's identity, red elsewhere."""
    return GREEN if query_identity == gallery_identity else VERMILION


def _by_key(reader: ShardReader) -> pd.DataFrame:
    """Position, identity and camera of each image, by key."""
    return reader.index.assign(position=np.arange(len(reader))).set_index("key")


def ranked_row(run: RankedRun, query: str, queries: ShardReader, gallery: ShardReader) -> Row:
    """A query and its ten nearest of the gallery, each with its camera and its distance."""
    asked, images, row = _by_key(queries).loc[query], _by_key(gallery), run.queries.loc[query]
    tiles: list[Tile | None] = [
        Tile(queries.image(int(asked["position"])), f"query c{asked['camera']}", BLUE)
    ]
    for key in row["top10"].split():
        found = images.loc[key]
        colour = frame_colour(int(asked["identity"]), int(found["identity"]))
        mark = "✓" if colour == GREEN else "✗"
        caption = f"{mark} c{found['camera']} {run.distance.loc[query, key]:.2f}"
        tiles.append(Tile(gallery.image(int(found["position"])), caption, colour))
    label = f"{run.name}\nseed {run.seed}, {run.feature}\n{average_precision(row['ap'])}"
    return Row(label, tiles)


def draw_ranks(
    shards: Path, baseline: Path, variant: Path, figure: Path, options: FigureOptions
) -> None:
    """Draw the ten best of the gallery by two runs, one below the other, for the same queries.

    `baseline` and `variant` are folders of scored runs. `options` say which queries, or how many:
    half gain most average precision from the one run to the other, half lose most. Raises
    InputError when a file is missing, a key is no query or the runs answered different queries.
    """
    runs = read_run(baseline), read_run(variant)
    chosen = choose_queries(gains(*(run.queries["ap"] for run in runs)), options)
    readers = ShardReader(shards, "query"), ShardReader(shards, "gallery")
    rows = [ranked_row(run, query, *readers) for query in chosen for run in runs]
    title = f"The ten nearest gallery images: {runs[0].name} above, {runs[1].name} below"
    subtitle = (
        f"{how_chosen(options, 'gain in AP', len(chosen))} ✓ green: same identity, ✗ red: another; "
        "below: camera, Euclidean distance."
    )
    save_figure(draw_sheet(rows, title, subtitle, LAYOUT), figure)


if __name__ == "__main__":
    run_stage(draw_ranks)
