"""Line plots: how the variants of a comparison are told apart."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from pipeline.figures.sheets import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION

COLOURS = (BLACK, ORANGE, SKY, GREEN, VERMILION, BLUE, PURPLE)
DASHES = ("-", "-.", "--", ":")
"""Neighbours in the legend differ by their dashes too, and no two of 28 variants look alike.

The most ink comes first: a line is drawn over those before, which show through its gaps."""


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


def tidy_axes(axes: Axes) -> None:
    """Small ticks, horizontal lines of a grid, no box, from zero."""
    axes.tick_params(labelsize=7)
    axes.grid(axis="y", color="#DDDDDD", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(bottom=0)
