"""How well a threshold tells people apart: ROC and DET curves, and open-set identification."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from scipy.special import ndtr, ndtri

from pipeline.errors import InputError
from pipeline.evaluation.operating import RATES
from pipeline.figures.lines import STYLE, add_legend, draw_lines
from pipeline.figures.sheets import GREY, save_figure
from pipeline.run import Run

PANELS = {
    "verification": "Verification, ROC",
    "det": "Verification, DET",
    "identification": "Open-set identification",
}
LABELS = {
    "verification": ("false positives, fraction of the pairs", "true positives, %"),
    "det": ("false positives, % of the pairs", "missed pairs, %"),
    "identification": ("false positives, fraction of the searches", "right and accepted, %"),
}
"""Of the x and y axes."""
DET_TICKS = (1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)
DET_LIMITS = {"x": (1e-5, 0.6), "y": (0.01, 0.995)}
"""False-positive rates and miss rates; beyond them the normal scale has no room."""


def read_curves(runs: Sequence[Run]) -> pd.DataFrame:
    """Return a row for each point of each curve: variant, feature, seed, panel, fpr and rate.

    Variants stay in the order in which they are first given. Raises InputError when there is no
    run.
    """
    if not runs:
        raise InputError("runs: expected at least one run, found none")
    return pd.concat([frame for run in runs for frame in _curves(run)], ignore_index=True)


def _curves(run: Run) -> list[pd.DataFrame]:
    report = run.open_set
    facts = {"variant": run.variant, "feature": report["feature"], "seed": run.seed}
    found = pd.DataFrame(report["verification"]["curve"]).rename(columns={"tpr": "rate"})
    frames = {"verification": found, "det": found.assign(rate=1 - found["rate"])}
    if report["identification"] is not None:
        searches = pd.DataFrame(report["identification"]["curve"])
        frames["identification"] = searches.rename(columns={"tpr": "rate"})
    return [frame.assign(panel=panel, **facts) for panel, frame in frames.items()]


def _draw_panel(axes: Axes, rows: pd.DataFrame, panel: str) -> None:
    own = rows[rows["panel"] == panel]
    for rate in (rate for rate in RATES if rate >= own["fpr"].min()):
        axes.axvline(rate, color=GREY, lw=0.8, ls=":", zorder=1)
    if panel == "det":
        own = own[own["fpr"] < 1].assign(rate=own["rate"].clip(1e-6, 1 - 1e-6))
    draw_lines(axes, own, "fpr", "rate")
    axes.set_title(PANELS[panel])


def _scale_normal(axes: Axes) -> None:
    """Scale both axes by the normal deviate, on which normal scores make straight lines."""
    for axis, limits in DET_LIMITS.items():
        scale, limit = getattr(axes, f"set_{axis}scale"), getattr(axes, f"set_{axis}lim")
        scale("function", functions=(ndtri, ndtr))
        limit(*limits)
        side = getattr(axes, f"{axis}axis")
        side.set_major_locator(FixedLocator(DET_TICKS))
        side.set_minor_locator(NullLocator())
        side.set_major_formatter(FuncFormatter(_percent))


def _scale_log(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))


def _percent(value: float, _: int) -> str:
    return f"{100 * value:g}"


def open_set_figure(rows: pd.DataFrame) -> Figure:
    """Draw a panel for each kind of curve of `read_curves`."""
    rows = rows.assign(variant=rows["variant"] + " (" + rows["feature"] + ")")
    panels = [panel for panel in PANELS if (rows["panel"] == panel).any()]
    figure = Figure(figsize=(3.6 * len(panels), 4.4))
    for axes, panel in zip(figure.subplots(1, len(panels)), panels, strict=True):
        _draw_panel(axes, rows, panel)
        scale = _scale_normal if panel == "det" else _scale_log
        scale(axes)
        xlabel, ylabel = LABELS[panel]
        axes.set(xlabel=xlabel, ylabel=ylabel)
    note = "In brackets: the test feature."
    add_legend(figure, figure.axes[0], 4, rows["seed"].nunique(), note)
    return figure


@rc_context(STYLE)
def draw_open_set(runs: list[Run], figure: Path) -> None:
    """Draw the ROC, DET and identification curves of all variants to a PNG.

    Raises InputError as `read_curves` does.
    """
    save_figure(open_set_figure(read_curves(runs)), figure)
