"""Style of the plots, and lines of the variants with a band over the seeds."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.figures.sheets import BLACK, BLUE, DPI, GREEN, ORANGE, PURPLE, SKY, VERMILION

STYLE: dict[Any, Any] = {
    "figure.dpi": DPI,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.1,  # inches
    "figure.constrained_layout.w_pad": 0.1,
    "figure.labelsize": 8,
    "figure.titlesize": 9,
    "figure.titleweight": "bold",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7,
    "legend.frameon": False,
}
"""For `matplotlib.rc_context`, around drawing and saving."""
COLOURS = (BLACK, ORANGE, SKY, GREEN, VERMILION, BLUE, PURPLE)
DASHES = ("-", "-.", "--", ":")
"""Neighbours in the legend differ in their dashes too: 28 variants have different lines.

Solid lines come first: those drawn later have gaps that show them."""


def draw_lines(axes: Axes, rows: pd.DataFrame, x: str, y: str) -> None:
    """Draw a line per variant: mean over the seeds, with a band from minimum to maximum.

    `rows` has the columns `variant`, `x` and `y`; variants without values of `y` have no line.
    """
    for number, (variant, own) in enumerate(rows.groupby("variant", sort=False)):
        curve = own.groupby(x)[y].agg(["mean", "min", "max"]).dropna()
        if curve.empty:
            continue
        colour, dash = COLOURS[number % len(COLOURS)], number % len(DASHES)
        (line,) = axes.plot(curve.index, curve["mean"], DASHES[dash], color=colour, lw=1.5)
        line.set(label=str(variant), zorder=2 + dash)
        axes.fill_between(curve.index, curve["min"], curve["max"], color=colour, alpha=0.15, lw=0)


def add_legend(figure: Figure, axes: Axes, columns: int, seeds: int, note: str) -> None:
    """Add the legend of `draw_lines` on `axes` below the figure, with a `note` in its title."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(columns, len(labels)),
        handlelength=3.2,  # a whole period of the dashes
        title=f"Mean of {seeds} seeds, band from minimum to maximum. {note}",
    )
