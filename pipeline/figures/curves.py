"""Training curves of all variants in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.errors import InputError
from pipeline.figures.lines import DASH_LENGTH, STYLE, draw_band
from pipeline.figures.sheets import GREY, save_figure
from pipeline.run import Run

PANELS = {"loss": "Training loss", "lr": "Learning rate"}
KEPT = "k_q50"
"""Only runs of variants that select patches have values in this column."""


def read_histories(runs: Sequence[Run]) -> pd.DataFrame:
    """The history of every run in one frame, with the columns `variant` and `seed`.

    Variants stay in the order in which they are first given. Raises InputError when there is no
    run, or when a history is empty or lacks a column that is drawn.
    """
    if not runs:
        raise InputError("runs: expected at least one run, found none")
    frames = []
    for run in runs:
        frame = run.history
        missing = [name for name in ("epoch", *PANELS) if name not in frame]
        if missing or frame.empty:
            raise InputError(
                f"{run.path('history.csv')}: expected a line an epoch with the columns epoch, "
                f"{', '.join(PANELS)}; found {len(frame)} lines, without "
                f"{', '.join(missing) or 'any gap'}: train again"
            )
        frames.append(frame.assign(variant=run.variant, seed=run.seed))
    return pd.concat(frames, ignore_index=True)


def _draw_panel(axes: Axes, runs: pd.DataFrame, column: str, title: str) -> None:
    """A line for each variant that has the column: the mean over its seeds, in a band."""
    for number, (variant, run) in enumerate(runs.groupby("variant", sort=False)):
        if run[column].notna().any():
            draw_band(axes, number, str(variant), run.set_index("epoch")[column])
    axes.set_title(title, y=1.04)
    axes.set_xlabel("epoch")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.ticklabel_format(axis="y", scilimits=(-3, 4))
    axes.yaxis.get_offset_text().set_fontsize(7)


def _one_schedule(runs: pd.DataFrame) -> bool:
    return bool((runs.groupby("epoch")["lr"].nunique() == 1).all())


def curves_figure(runs: pd.DataFrame) -> Figure:
    """Loss, learning rate and, where patches are selected, k per epoch of `read_histories`."""
    figure = Figure(figsize=(9, 3.6))
    titles = dict(PANELS)
    if KEPT in runs and runs[KEPT].notna().any():
        titles[KEPT] = "Kept patches k, median"
    panels = figure.subplots(1, len(titles), width_ratios=(3, 2, 2)[: len(titles)])
    for axes, (column, title) in zip(panels, titles.items(), strict=True):
        _draw_panel(axes, runs, column, title)
    if _one_schedule(runs):
        for line in panels[1].lines:
            line.set_color(GREY)
        panels[1].set_title("Learning rate, the same for all", y=1.04)
    seeds = runs["seed"].nunique()
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=min(6, runs["variant"].nunique()),
        handlelength=DASH_LENGTH,
        title=f"Mean of {seeds} seeds, band from the least to the most. "
        "A variant's loss sums the terms of its own branches.",
    )
    return figure


@rc_context(STYLE)
def draw_curves(runs: list[Run], figure: Path) -> None:
    """Draw the loss, the learning rate and k per epoch of all variants to a PNG.

    Raises InputError as `read_histories` does.
    """
    save_figure(curves_figure(read_histories(runs)), figure)
