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
from pipeline.evaluation.score import FEATURES, read_features, select_feature
from pipeline.files import read_json
from pipeline.reporting.sheets import (
    BLUE,
    GREEN,
    VERMILION,
    Layout,
    Row,
    Tile,
    checked_folder,
    draw_sheet,
    save_figure,
)

LAYOUT = Layout(height=132, width=66, label=152, group=2)


class RankedRun(NamedTuple):
    """A scored run: its variant, its test feature, that feature's queries and similarities."""

    name: str
    seed: int
    feature: str
    queries: pd.DataFrame
    """Indexed by query: identity, camera, ap in 0..1, top10 (gallery keys)."""
    similarity: pd.DataFrame
    """Cosine similarity of query (row) and gallery image (column)."""


def read_run(folder: Path) -> RankedRun:
    """The ranking of a run by the first feature it has of blended and coarse."""
    checked_folder(folder, "run.json", "queries.csv", "features.npz")
    rows = pd.read_csv(folder / "queries.csv", dtype={"query": str, "top10": str})
    feature = next(name for name in FEATURES if name in set(rows["feature"]))
    arrays = read_features(folder / "features.npz")
    query, gallery = (
        l2_normalise(select_feature(arrays, s, feature)) for s in ("query", "gallery")
    )
    similarity = pd.DataFrame(query @ gallery.T, arrays["query_keys"], arrays["gallery_keys"])
    record = read_json(folder / "run.json")
    queries = rows[rows["feature"] == feature].set_index("query")
    return RankedRun(record["variant"], record["seed"], feature, queries, similarity)


def choose_queries(baseline: pd.Series, variant: pd.Series, count: int) -> list[str]:
    """The queries whose average precision gains most, then those that lose most, half of each.

    Both series hold the AP of each query; queries without one are left out, ties go by key.
    Raises InputError when the runs did not answer the same queries or answered too few.
    """
    if set(baseline.index) != set(variant.index):
        raise InputError(
            "ranks: expected two runs with the same queries, found different ones: evaluate both "
            "on the same shards"
        )
    gain = (variant - baseline).dropna().sort_index()
    if len(gain) < count:
        raise InputError(
            f"ranks: expected at least {count} queries with a match, found {len(gain)}: draw fewer"
        )
    order = gain.sort_values(ascending=False, kind="stable").index
    losses = count // 2
    return [*order[: count - losses], *order[len(order) - losses :][::-1]]


def frame_colour(query_identity: int, gallery_identity: int) -> str:
    """Green where the gallery image shows the query's identity, red elsewhere."""
    return GREEN if query_identity == gallery_identity else VERMILION


def _by_key(reader: ShardReader) -> pd.DataFrame:
    """Position, identity and camera of each image, by key."""
    return reader.index.assign(position=np.arange(len(reader))).set_index("key")


def _ranked_row(run: RankedRun, query: str, queries: ShardReader, gallery: ShardReader) -> Row:
    asked, images, row = _by_key(queries).loc[query], _by_key(gallery), run.queries.loc[query]
    tiles: list[Tile | None] = [
        Tile(queries.image(int(asked["position"])), f"query c{asked['camera']}", BLUE)
    ]
    for key in row["top10"].split():
        found = images.loc[key]
        colour = frame_colour(int(asked["identity"]), int(found["identity"]))
        mark = "✓" if colour == GREEN else "✗"
        caption = f"{mark} c{found['camera']} {run.similarity.loc[query, key]:.2f}"
        tiles.append(Tile(gallery.image(int(found["position"])), caption, colour))
    return Row(f"{run.name}\nseed {run.seed}, {run.feature}\nAP {100 * row['ap']:.1f} %", tiles)


def draw_ranks(shards: Path, baseline: Path, variant: Path, figure: Path, queries: int = 6) -> None:
    """Draw the ten best of the gallery by two runs, one below the other, for the same queries.

    `baseline` and `variant` are folders of scored runs. No query is picked by hand: half gain most
    average precision from the one to the other, half lose most. Raises InputError when a file
    is missing or the runs did not answer the same queries.
    """
    runs = read_run(baseline), read_run(variant)
    chosen = choose_queries(runs[0].queries["ap"], runs[1].queries["ap"], queries)
    readers = ShardReader(shards, "query"), ShardReader(shards, "gallery")
    rows = [_ranked_row(run, query, *readers) for query in chosen for run in runs]
    losses = queries // 2
    title = (
        f"Top ten of two runs: queries of the largest gain in AP ({queries - losses}) "
        f"and of the largest loss ({losses})"
    )
    subtitle = (
        "Chosen by the change in AP alone. Green ✓: same identity, red ✗: another; "
        "below, camera and cosine similarity."
    )
    save_figure(draw_sheet(rows, title, subtitle, LAYOUT), figure)


if __name__ == "__main__":
    run_stage(draw_ranks)
