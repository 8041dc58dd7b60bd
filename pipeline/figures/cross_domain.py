"""Figure: the cross-domain matrix, trained on x tested on, of each variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from pipeline.figures.lines import STYLE
from pipeline.figures.sheets import BLACK, ORANGE, save_figure
from pipeline.options.joint import JOIN
from pipeline.run import Benchmark
from pipeline.tables.cross_domain import Matrix, axes_of, read_matrix, tested_rows
from pipeline.tables.tabulate import TableRow, format_cell, over_seeds

COLUMNS = 3
"""Variants beside each other."""
CELL = 1.0, 0.36
"""Width and height of a cell, in inches."""
DARK = 0.55
"""Fraction of the colour scale from which on text is white."""


def cross_domain_figure(matrix: Matrix, variants: Sequence[str]) -> Figure:
    """Draw the mAP of each variant's test feature: a matrix per variant, on a common scale."""
    cells = {benchmark: tested_rows(runs) for benchmark, runs in matrix.items()}
    trained_on, tested_on = axes_of(cells)
    columns = min(COLUMNS, len(variants))
    lines = -(-len(variants) // columns)
    width, height = CELL[0] * len(tested_on), CELL[1] * len(trained_on)
    figure = Figure(figsize=(2.6 + columns * (width + 0.2), 1.4 + lines * (height + 0.4)))
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    top = max(row.mean["map"] for rows in cells.values() for row in rows.values())
    for number, variant in enumerate(variants):
        axes = panels.flat[number]
        image = _draw_matrix(axes, {cell: rows[variant] for cell, rows in cells.items()}, top)
        axes.set_title(variant)
        if number + columns >= len(variants):  # nothing below
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("tested on")
    for axes in panels.flat[len(variants) :]:
        axes.set_axis_off()
    figure.colorbar(image, ax=panels, label="mAP (%)", aspect=15)
    seeds = next(iter(cells.values()))[variants[0]].seeds
    figure.supylabel("trained on")
    figure.supxlabel(
        f"mAP of the test feature: {over_seeds(seeds)}.\n"
        "Orange frame: trained on the training images of the same dataset."
    )
    return figure


def _draw_matrix(axes: Axes, rows: Mapping[Benchmark, TableRow], top: float) -> AxesImage:
    """Draw the cells of a variant, with the colour scale from 0 to `top`."""
    trained_on, tested_on = axes_of(rows)
    means = np.zeros((len(trained_on), len(tested_on)))
    for cell, row in rows.items():
        y, x = trained_on.index(cell.trained_on), tested_on.index(cell.dataset)
        means[y, x] = mean = row.mean["map"]
        colour = "white" if mean > DARK * top else BLACK
        axes.text(
            x, y, format_cell(mean, row.std["map"]), color=colour, size=7, ha="center", va="center"
        )
        if cell.dataset in cell.trained_on.split(JOIN):
            frame = Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, fill=False, ec=ORANGE, lw=1.5)
            axes.add_patch(frame)
    axes.set_xticks(range(len(tested_on)), tested_on)
    axes.set_yticks(range(len(trained_on)), trained_on)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.grid(False)
    return axes.imshow(means, cmap="Blues", vmin=0, vmax=top, aspect="auto")


@rc_context(STYLE)
def draw_cross_domain(metrics: list[Path], figure: Path, variants: list[str]) -> None:
    """Draw the matrix of the runs with the files `metrics`, for `variants`, to a PNG.

    Raises InputError as `read_matrix` and `summarise_runs` do.
    """
    save_figure(cross_domain_figure(read_matrix(metrics, variants), variants), figure)
