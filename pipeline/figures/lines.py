"""Plots: how they look, and how the variants of a comparison are told apart."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

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
"""Neighbours in the legend differ by their dashes too, and no two of 28 variants look alike.

The most ink comes first: a line is drawn over those before, which show through its gaps."""
DASH_LENGTH = 3.2
"""In a legend, for a whole period of the dashes."""


def draw_band(axes: Axes, number: int, label: str, values: pd.Series) -> None:
    """The mean as a line, from the least to the most as a band: of the values at each index.

    `number` is the variant's place in the comparison; it decides on the colour and the dashes.
    """
    colour = COLOURS[number % len(COLOURS)]
    dash = number % len(DASHES)
    curve = values.groupby(level=0).agg(["mean", "min", "max"])
    (line,) = axes.plot(curve.index, curve["mean"], DASHES[dash], color=colour, lw=1.5)
    line.set(label=label, zorder=2 + dash)
    axes.fill_between(curve.index, curve["min"], curve["max"], color=colour, alpha=0.15, lw=0)
