"""Figure: mAP by the occluded fraction of the person, from the ground truth of the benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from pipeline.errors import InputError
from pipeline.figures.lines import STYLE, add_legend, draw_lines
from pipeline.figures.sheets import save_figure
from pipeline.files import checked_folder
from pipeline.run import Run
from pipeline.tables.tabulate import write_csv

BINS = 5


def read_occlusion(ground_truth: Path) -> pd.Series:
    """Read the occluded fraction of the person in each query, in percent, by key.

    `ground_truth` is the file of `pipeline.synthetic.benchmark`.
    """
    checked_folder(ground_truth.parent, ground_truth.name)
    with np.load(ground_truth, allow_pickle=False) as arrays:
        names, visible = arrays["name"], arrays["visible"].astype(np.float64)
    occlusion = pd.Series(100 * (1 - visible), names)
    occlusion = occlusion[occlusion.index.str.startswith("query/")]
    return occlusion.rename(lambda name: name.removeprefix("query/").removesuffix(".jpg"))


def occlusion_bins(occlusion: pd.Series) -> pd.DataFrame:
    """Sort the queries into `BINS` bins of equal size by occluded fraction; ties by key.

    Indexed by key. Columns: bin (from 1); least, mean and largest fraction in the bin (percent);
    queries (number in the bin).
    """
    order = occlusion.sort_index().sort_values(kind="stable")
    parts = np.array_split(np.arange(len(order)), min(BINS, len(order)))
    number = np.concatenate([np.full(len(part), i) for i, part in enumerate(parts, start=1)])
    fractions = order.groupby(number)
    statistics = {"least": "min", "mean": "mean", "largest": "max"}
    columns = {f"hidden_{name}": fractions.transform(f) for name, f in statistics.items()}
    return pd.DataFrame({"bin": number} | columns | {"queries": fractions.transform("size")})


def binned_map(runs: Sequence[Run], occlusion: pd.Series) -> pd.DataFrame:
    """Compute the mAP (percent) by test feature, one row per run and bin of `occlusion_bins`.

    Queries without a match are ignored. Raises InputError for a run with other queries than
    `occlusion`.
    """
    frames = []
    for run in runs:
        queries = run.queries
        if set(queries.index) != set(occlusion.index):
            raise InputError(
                f"{run.path('queries.csv')}: expected the {len(occlusion)} queries of the rendered "
                f"benchmark, found {len(queries)} others: render, train and score again"
            )
        bins = occlusion_bins(occlusion[queries["ap"].notna()[occlusion.index]])
        means = bins.assign(map=100 * queries["ap"]).groupby("bin", as_index=False).mean()
        names = {"variant": run.variant, "feature": run.test_feature, "seed": run.seed}
        frames.append(means.assign(**names)[[*names, *means.columns]])
    return pd.concat(frames, ignore_index=True).astype({"queries": int})


def map_by_occlusion_figure(rows: pd.DataFrame) -> Figure:
    """Draw a line for each variant of `binned_map`."""
    figure = Figure(figsize=(8, 4.4))
    axes = figure.add_subplot()
    named = rows.assign(variant=rows["variant"] + " (" + rows["feature"] + ")")
    draw_lines(axes, named, "hidden_mean", "map")
    bins = rows.drop_duplicates("bin")
    labels = [
        f"{row.hidden_least:.0f} to {row.hidden_largest:.0f} %\n{row.queries} queries"
        for row in bins.itertuples()
    ]
    axes.set_xticks(bins["hidden_mean"], labels)
    axes.set_xlabel("occluded fraction of the person")
    axes.set_ylabel("mAP (%)")
    axes.set_ylim(bottom=0)
    axes.set_title("mAP by the occluded fraction of the person")
    add_legend(figure, axes, 4, rows["seed"].nunique(), "In brackets: the test feature.")
    return figure


@rc_context(STYLE)
def draw_map_by_occlusion(runs: list[Run], ground_truth: Path, figure: Path, table: Path) -> None:
    """Draw the mAP by occluded fraction to a PNG and write the rows of `binned_map` as CSV.

    Raises InputError for runs on another benchmark than that of `ground_truth`.
    """
    rows = binned_map(runs, read_occlusion(ground_truth))
    write_csv(table, rows)
    save_figure(map_by_occlusion_figure(rows), figure)
