"""Figure: training curves of all variants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.errors import InputError
from pipeline.figures.lines import STYLE, add_legend, draw_lines
from pipeline.figures.sheets import GREY, save_figure
from pipeline.run import Run

PANELS = {"loss": "Training loss", "lr": "Learning rate"}
K_MEDIAN = "k_q50"
"""Column of histories; only variants that select patches have values."""


def read_histories(runs: Sequence[Run]) -> pd.DataFrame:
    """Concatenate the histories of `runs`, with the columns `variant` and `seed`.

    Raises InputError without a run, and for a history that is empty or lacks a drawn column.
    """
    if not runs:
        raise InputError("runs: expected at least one run, found none")
    frames = []
    for run in runs:
        frame = run.history
        missing = [name for name in ("epoch", *PANELS) if name not in frame]
        if missing or frame.empty:
            raise InputError(
                f"{run.path('history.csv')}: expected rows with the columns epoch, "
                f"{', '.join(PANELS)}, found {len(frame)} rows without "
                f"{', '.join(missing) or 'a missing column'}: train again"
            )
        frames.append(frame.assign(variant=run.variant, seed=run.seed))
    return pd.concat(frames, ignore_index=True)


def curves_figure(runs: pd.DataFrame) -> Figure:
    """Draw loss, learning rate and, if variants select patches, k per epoch of `read_histories`."""
    figure = Figure(figsize=(9, 3.6))
    titles = dict(PANELS)
    if K_MEDIAN in runs and runs[K_MEDIAN].notna().any():
        titles[K_MEDIAN] = "Median k (kept patches)"
    panels = figure.subplots(1, len(titles), width_ratios=(3, 2, 2)[: len(titles)])
    for axes, (column, title) in zip(panels, titles.items(), strict=True):
        draw_lines(axes, runs, "epoch", column)
        axes.set_title(title, y=1.04)
        axes.set_xlabel("epoch")
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.ticklabel_format(axis="y", scilimits=(-3, 4))
        axes.yaxis.get_offset_text().set_fontsize(7)
    if (runs.groupby("epoch")["lr"].nunique() == 1).all():
        for line in panels[1].lines:
            line.set_color(GREY)
        panels[1].set_title("Learning rate of all variants", y=1.04)
    note = "A variant's loss is the sum of the terms of its branches."
    add_legend(figure, panels[0], 6, runs["seed"].nunique(), note)
    return figure


@rc_context(STYLE)
def draw_curves(runs: list[Run], figure: Path) -> None:
    """Draw loss, learning rate and k of all variants per epoch to a PNG.

    Raises InputError as `read_histories` does.
    """
    save_figure(curves_figure(read_histories(runs)), figure)
