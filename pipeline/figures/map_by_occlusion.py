"""mAP by the occluded fraction of the person, which the rendered benchmark knows exactly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from pipeline.errors import InputError
from pipeline.figures.lines import DASH_LENGTH, STYLE, draw_band
from pipeline.figures.sheets import save_figure
from pipeline.files import checked_folder
from pipeline.run import Run
from pipeline.tables.tabulate import write_csv

BINS = 5


def read_occlusion(ground_truth: Path) -> pd.Series:
    """The occluded fraction of the person in each query, in percent, by key.

    `ground_truth` is the file that `pipeline.synthetic.benchmark` writes beside its archive.
    """
    checked_folder(ground_truth.parent, ground_truth.name)
    with np.load(ground_truth, allow_pickle=False) as arrays:
        names, visible = arrays["name"], arrays["visible"].astype(np.float64)
    shares = pd.Series(100 * (1 - visible), names)
    shares = shares[shares.index.str.startswith("query/")]
    return shares.set_axis(shares.index.str.removeprefix("query/").str.removesuffix(".jpg"))


def occlusion_bins(occlusion: pd.Series) -> pd.DataFrame:
    """The bin of each query, by key: equally many queries each, by rising occluded fraction.

    Columns: bin (from 1), and of its queries the least, mean and largest fraction (percent) and the
    count. Ties go by key.
    """
    order = occlusion.sort_index().sort_values(kind="stable")
    parts = np.array_split(np.arange(len(order)), min(BINS, len(order)))
    number = np.concatenate([np.full(len(part), i) for i, part in enumerate(parts, start=1)])
    frame = pd.DataFrame({"bin": number, "share": order}, order.index)
    shares = frame.groupby("bin")["share"]
    for name, statistic in (("least", "min"), ("mean", "mean"), ("largest", "max")):
        frame[f"hidden_{name}"] = shares.transform(statistic)
    return frame.assign(queries=shares.transform("size")).drop(columns="share")


def binned_map(runs: Sequence[Run], occlusion: pd.Series) -> pd.DataFrame:
    """mAP (percent) by the test feature of each run, one row a run and bin of `occlusion_bins`.

    Queries without a match are left out. Raises InputError when a run's queries are not those of
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
        found = bins.assign(map=100 * queries["ap"]).groupby("bin", as_index=False).mean()
        facts = {"variant": run.variant, "feature": run.test_feature, "seed": run.seed}
        frames.append(found.assign(**facts)[[*facts, *found.columns]])
    return pd.concat(frames, ignore_index=True).astype({"queries": int})


def map_by_occlusion_figure(rows: pd.DataFrame) -> Figure:
    """A line for each variant of `binned_map`: the mean over its seeds, in a band."""
    figure = Figure(figsize=(8, 4.4))
    axes = figure.add_subplot()
    for number, ((variant, feature), run) in enumerate(
        rows.groupby(["variant", "feature"], sort=False)
    ):
        draw_band(axes, number, f"{variant} ({feature})", run.set_index("hidden_mean")["map"])
    bins = rows.drop_duplicates("bin")
    labels = [
        f"{row.hidden_least:.0f} to {row.hidden_largest:.0f} %\n{row.queries} queries"
        for row in bins.itertuples()
    ]
    axes.set_xticks(bins["hidden_mean"], labels)
    axes.set_xlabel("occluded fraction of the person")
    axes.set_ylabel("mAP, %")
    axes.set_ylim(bottom=0)
    axes.set_title("mAP against the occluded fraction of the person")
    figure.legend(
        loc="outside lower center",
        ncols=min(4, rows["variant"].nunique()),
        handlelength=DASH_LENGTH,
        title=f"Mean of {rows['seed'].nunique()} seeds, band from the least to the most; "
        "in brackets the feature that is tested.",
    )
    return figure


@rc_context(STYLE)
def draw_map_by_occlusion(runs: list[Run], ground_truth: Path, figure: Path, table: Path) -> None:
    """Draw mAP against the occluded fraction of the person to a PNG and write its numbers as CSV.

    `ground_truth` is the rendered benchmark's; `table` has the rows of `binned_map`. Raises
    InputError when the runs are of another benchmark.
    """
    rows = binned_map(runs, read_occlusion(ground_truth))
    write_csv(table, rows)
    save_figure(map_by_occlusion_figure(rows), figure)
