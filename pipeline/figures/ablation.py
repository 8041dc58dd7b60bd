"""Figure: mAP of each variant by each of its features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.evaluation.features import RERANKED
from pipeline.figures.lines import STYLE
from pipeline.figures.sheets import BLUE, GREEN, ORANGE, PURPLE, SKY, save_figure
from pipeline.run import Run
from pipeline.tables.runs import collect_runs
from pipeline.tables.tabulate import TableRow, summarise_runs

STYLES = {
    "blended": (BLUE, "o"),
    "coarse": (ORANGE, "s"),
    "global": (GREEN, "^"),
    "blended_global": (PURPLE, "D"),
    "coarse_global": (SKY, "v"),
}
STYLES |= {f"{name}{RERANKED}": (colour, "P") for name, (colour, _) in STYLES.items()}
"""Colour and marker of each feature."""


def _draw_rows(axes: Axes, runs: Sequence[Run], rows: Sequence[TableRow]) -> None:
    """Draw the features of each variant in a row, the first variant on top."""
    variants = list(dict.fromkeys(row.variant for row in rows))
    for row, previous in zip(rows, (None, *rows), strict=False):
        mean, y = row.mean["map"], variants.index(row.variant)
        colour, marker = STYLES[row.feature]
        if previous and previous.variant == row.variant:  # the test feature comes first
            axes.plot(mean, y, marker, color=colour, mfc="white", ms=4, alpha=0.7)
            continue
        seeds = [run.metrics[row.feature]["map"] for run in runs if run.variant == row.variant]
        axes.plot(seeds, [y + 0.25] * len(seeds), ".", color=colour, ms=4, mew=0)
        axes.errorbar(mean, y, xerr=row.std["map"], fmt=marker, color=colour, ms=6, capsize=3)
    axes.set_yticks(range(len(variants)), variants)
    axes.set_ylim(len(variants) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.grid(False, axis="y")


def ablation_figure(runs: Sequence[Run]) -> Figure:
    """Draw the mAP of the runs of `collect_runs`."""
    rows = summarise_runs(runs)
    figure = Figure(figsize=(6.5, 1.3 + 0.36 * len({row.variant for row in rows})))
    axes = figure.subplots()
    _draw_rows(axes, runs, rows)
    axes.set_xlabel(f"mAP on {runs[0].benchmark} (%)")
    styles = {name: STYLES[name] for name in STYLES if any(row.feature == name for row in rows)}
    handles = [axes.plot([], [], marker, color=c, ms=5)[0] for c, marker in styles.values()]
    bars = f" (bar: ± standard deviation over {rows[0].seeds} seeds, dots: the seeds)"
    title = f"Filled: test feature{bars if rows[0].seeds > 1 else ''}. Hollow: other features."
    figure.legend(handles, list(styles), loc="outside lower center", ncols=5, title=title)
    return figure


@rc_context(STYLE)
def draw_ablation(runs: list[Run], figure: Path, variants: list[str]) -> None:
    """Draw the mAP of `variants`, in the order of the table, to a PNG.

    Raises InputError as `collect_runs` and `summarise_runs` do.
    """
    save_figure(ablation_figure(collect_runs(runs, variants)), figure)
