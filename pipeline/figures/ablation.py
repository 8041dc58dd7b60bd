"""The mAP of every variant in one picture: as a curve over the option that varies, or as rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.evaluation.features import RERANKED
from pipeline.figures.lines import STYLE
from pipeline.figures.sheets import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    save_figure,
)
from pipeline.run import Run
from pipeline.tables.runs import collect_runs
from pipeline.tables.tabulate import TableRow, summarise_runs

CURVE_POINTS = 3
"""Fewer values of an option make no curve."""
LOOKS = {
    "blended": (BLUE, "o"),
    "coarse": (ORANGE, "s"),
    "global": (GREEN, "^"),
    "blended_global": (PURPLE, "D"),
    "coarse_global": (SKY, "v"),
}
LOOKS |= {f"{name}{RERANKED}": (colour, "P") for name, (colour, _) in LOOKS.items()}
"""Colour and marker of each feature, re-ranked ones too."""
OTHERS = (BLACK, VERMILION, GREY)
"""Colours of the variants that are not on a curve."""
BESIDE = 0.1
"""Distance of the seeds from their bar, which would hide them; two values are 1 apart."""


class Axis(NamedTuple):
    """A numeric option, and its value in each variant that differs from the others in it alone."""

    option: str
    values: dict[str, float]


def read_options(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """The options of each variant, `section.key` to value."""
    return {
        run.variant: {
            f"{section}.{key}": value
            for section, keys in run.record["options"].items()
            for key, value in keys.items()
        }
        for run in runs
    }


def find_axis(options: Mapping[str, Mapping[str, Any]]) -> Axis | None:
    """The option to draw a curve over, given the options of each variant by name.

    It is the numeric option over which most variants differ, and those in nothing else; None when
    they are fewer than `CURVE_POINTS` or not the greater part of all.
    """
    groups: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for variant, values in options.items():
        for option, value in values.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                rest = {key: other for key, other in values.items() if key != option}
                groups[option, repr(sorted(rest.items()))][variant] = value
    distinct = {key: len(set(group.values())) for key, group in groups.items()}
    best = max(distinct, key=distinct.__getitem__, default=None)
    if best is None or distinct[best] < CURVE_POINTS or 2 * distinct[best] <= len(options):
        return None
    by_value = sorted(groups[best].items(), key=lambda item: item[1])
    return Axis(best[0], dict(by_value))


def _tested(rows: Sequence[TableRow]) -> dict[str, TableRow]:
    """The row of each variant's test feature, its first."""
    tested: dict[str, TableRow] = {}
    for row in rows:
        tested.setdefault(row.variant, row)
    return tested


def _seed_values(runs: Sequence[Run], row: TableRow) -> list[float]:
    return [run.metrics[row.feature]["map"] for run in runs if run.variant == row.variant]


def _draw_rows(axes: Axes, runs: Sequence[Run], rows: Sequence[TableRow]) -> None:
    """A line for each variant, the first on top."""
    tested = _tested(rows)
    names = list(tested)
    for row in rows:
        y, (colour, marker) = names.index(row.variant), LOOKS[row.feature]
        if row is not tested[row.variant]:
            axes.plot(row.mean["map"], y, marker, color=colour, mfc="white", ms=4, alpha=0.7)
            continue
        seeds = _seed_values(runs, row)
        axes.plot(seeds, [y + 0.25] * len(seeds), ".", color=colour, ms=4, mew=0)
        bar = row.std["map"]
        axes.errorbar(row.mean["map"], y, xerr=bar, fmt=marker, color=colour, ms=6, capsize=3)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.grid(False, axis="y")


def _draw_curves(axes: Axes, runs: Sequence[Run], rows: Sequence[TableRow], axis: Axis) -> None:
    """A curve for each feature of the variants on the axis, the test feature's with its seeds."""
    on_axis = [row for row in rows if row.variant in axis.values]
    tested, x = _tested(on_axis), range(len(axis.values))
    for feature in dict.fromkeys(row.feature for row in on_axis):
        own = {row.variant: row for row in on_axis if row.feature == feature}
        curve = [own[name] for name in axis.values]
        y = [row.mean["map"] for row in curve]
        colour, marker = LOOKS[feature]
        if curve[0] is not tested[curve[0].variant]:
            axes.plot(x, y, marker=marker, color=colour, mfc="white", ms=4, lw=0.8, alpha=0.5)
            continue
        for place, row in zip(x, curve, strict=True):
            seeds = _seed_values(runs, row)
            axes.plot([place + BESIDE] * len(seeds), seeds, ".", color=colour, ms=5, mew=0)
        bars = [row.std["map"] or 0 for row in curve]
        axes.errorbar(x, y, bars, fmt=f"{marker}-", color=colour, ms=5, lw=1.5, capsize=3, zorder=3)
    axes.set_xticks(x, [f"{value:g}" for value in axis.values.values()])
    axes.set_xlabel(f"{axis.option} (evenly spaced)")


def _draw_levels(axes: Axes, rows: Sequence[TableRow], axis: Axis) -> None:
    """A horizontal line for the test feature of each variant that is not on the axis."""
    others = [row for row in _tested(rows).values() if row.variant not in axis.values]
    for number, row in enumerate(others):
        colour = OTHERS[number % len(OTHERS)]
        label = f"{row.variant} ({row.feature})"
        mean, spread = row.mean["map"], row.std["map"] or 0
        axes.axhline(mean, color=colour, ls="--", lw=1, label=label)
        axes.axhspan(mean - spread, mean + spread, color=colour, alpha=0.08, lw=0)


def _add_legend(figure: Figure, axes: Axes, rows: Sequence[TableRow]) -> None:
    """Features by colour and marker, then the levels, and what bars and dots are."""
    features = [name for name in LOOKS if any(row.feature == name for row in rows)]
    looks = (LOOKS[name] for name in features)
    handles = [axes.plot([], [], marker, color=colour, ms=5)[0] for colour, marker in looks]
    levels, names = axes.get_legend_handles_labels()
    seeds = f" (bar: ± standard deviation over {rows[0].seeds} seeds, dots: the seeds)"
    tested = f"Filled: the test feature{seeds if rows[0].seeds > 1 else ''}."
    figure.legend(
        [*handles, *levels],
        [*features, *names],
        loc="outside lower center",
        ncols=5,
        title=f"{tested} Hollow: the other features.",
    )


def ablation_figure(runs: Sequence[Run]) -> Figure:
    """The picture of the runs of `collect_runs`."""
    rows, axis = summarise_runs(runs), find_axis(read_options(runs))
    height = 3.6 if axis else 1.3 + 0.36 * len(_tested(rows))
    figure = Figure(figsize=(6.5, height))
    axes = figure.subplots()
    if axis:
        _draw_curves(axes, runs, rows, axis)
        _draw_levels(axes, rows, axis)
    else:
        _draw_rows(axes, runs, rows)
    label = axes.set_ylabel if axis else axes.set_xlabel
    label(f"mAP on {runs[0].benchmark} (%)")
    _add_legend(figure, axes, rows)
    return figure


@rc_context(STYLE)
def draw_ablation(runs: list[Run], figure: Path, variants: list[str]) -> None:
    """Draw the mAP of `variants`, in the order of the table, to a PNG.

    Raises InputError as `collect_runs` and `summarise_runs` do.
    """
    save_figure(ablation_figure(collect_runs(runs, variants)), figure)
