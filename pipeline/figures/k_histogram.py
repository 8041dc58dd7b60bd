"""Figure: histograms of k, the number of patches that DPSM keeps."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.errors import InputError
from pipeline.figures.lines import STYLE
from pipeline.figures.sheets import BLUE, GREY, ORANGE, save_figure
from pipeline.run import Run

BINS = 32
QUANTILES = (10, 50, 90)


class SelectingRun(NamedTuple):
    """The k of the images of a run."""

    name: str
    k_min: int
    query: np.ndarray
    """(Q,) int64."""
    gallery: np.ndarray
    """(G,) int64."""


def read_k(run: Run) -> SelectingRun:
    """Read the k of all images; InputError if the variant of `run` selects no patches."""
    arrays = run.features()
    if "query_k" not in arrays:
        raise InputError(
            f"{run.path('features.npz')}: expected query_k (kept patches), found none: "
            "give a variant that selects patches, or embed the run again"
        )
    k_min = run.options.model.k_min
    return SelectingRun(run.name, k_min, arrays["query_k"], arrays["gallery_k"])


def bin_edges(runs: list[SelectingRun]) -> np.ndarray:
    """Return the edges of bins of equal integer width that hold every k of all runs.

    Edges are half-integers, so that a bar starts at its smallest k.
    """
    largest = max(int(max(run.query.max(), run.gallery.max())) for run in runs)
    width = -(-largest // BINS)
    return np.arange(0, largest + width + 1, width) - 0.5


def _draw_panel(axes: Axes, run: SelectingRun, edges: np.ndarray) -> None:
    bins = edges.tolist()
    query, gallery = (np.full(len(k), 100 / len(k)) for k in (run.query, run.gallery))
    axes.hist(run.query, bins, weights=query, color=BLUE, alpha=0.75)
    axes.hist(run.gallery, bins, weights=gallery, histtype="step", color=ORANGE, lw=1.2)
    axes.axvline(run.k_min, color=GREY, lw=1, ls=":")
    low, median, high = np.percentile(run.query, QUANTILES, method="inverted_cdf")
    at_minimum = 100 * np.mean(run.query == run.k_min)
    axes.set_title(
        f"{run.name}: k of the queries: median {median}, 10 to 90 % quantile {low} to {high}; "
        f"{at_minimum:.0f} % at k_min = {run.k_min}",
        size=7,
        weight="normal",
    )
    axes.set_xlim(edges[0], edges[-1])


def k_histogram_figure(runs: list[SelectingRun]) -> Figure:
    """Draw a histogram for each run, with the same bins."""
    figure = Figure(figsize=(8, 0.8 + 1.15 * len(runs)))
    edges = bin_edges(runs)
    panels = figure.subplots(len(runs), 1, sharex=True, squeeze=False)[:, 0]
    for axes, run in zip(panels, runs, strict=True):
        _draw_panel(axes, run, edges)
    panels[-1].set_xlabel("k (kept patches per image)")
    figure.supylabel("% of the images")
    title = "Number of patches that DPSM keeps (blue: queries, orange: gallery, dotted: k_min)"
    figure.suptitle(title, x=0.02, ha="left")
    return figure


@rc_context(STYLE)
def draw_k_histogram(runs: list[Run], figure: Path) -> None:
    """Draw histograms of k over queries and gallery to a PNG, one for each of `runs`.

    Raises InputError for a run whose variant selects no patches.
    """
    save_figure(k_histogram_figure([read_k(run) for run in runs]), figure)
