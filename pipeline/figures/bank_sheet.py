"""Figure: contact sheet of the occluder bank, and the number of masks that each filter dropped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.errors import InputError
from pipeline.figures.sheets import (
    BLUE,
    GREY,
    MARGIN,
    Layout,
    Tile,
    draw_sheet,
    evenly_spaced,
    grid_rows,
    save_figure,
)
from pipeline.files import checked_folder, read_json
from pipeline.occluders.bank import load_bank

COLUMNS, ROWS = 12, 6
CHECK = 8
"""Side of a square of the checkerboard in pixels."""
LAYOUT = Layout(height=90, width=90, label=0, captions=False, bottom=230)


def on_checkerboard(cutout: np.ndarray) -> np.ndarray:
    """Blend a cut-out (H, W, 4) uint8 with a grey checkerboard by its alpha: (H, W, 3) uint8."""
    y, x = np.indices(cutout.shape[:2])
    board = np.where((y // CHECK + x // CHECK) % 2, 255, 214)[..., None]
    alpha = cutout[..., 3:] / 255
    return (cutout[..., :3] * alpha + board * (1 - alpha)).round().astype(np.uint8)


def _draw_verdicts(figure: Figure, verdicts: pd.Series) -> None:
    """Draw a bar for each verdict: kept first, then the filters by number of masks."""
    counts = verdicts.value_counts()
    counts = counts.loc[sorted(counts.index, key=lambda v: (v != "kept", -counts[v], v))]
    width, height = figure.get_size_inches() * figure.dpi
    left, bottom = 190 / width, (MARGIN + 16) / height
    axes = figure.add_axes((left, bottom, 1 - left - 90 / width, (LAYOUT.bottom - 60) / height))
    colours = [BLUE if verdict == "kept" else "#BBBBBB" for verdict in counts.index]
    bars = axes.barh(counts.index, counts, color=colours, height=0.7)
    axes.bar_label(bars, padding=3, size=7)
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.set_title("Masks kept, and dropped by each filter", size=8, loc="left", color=GREY)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(axis="y", length=0, labelsize=7)


def _subtitle(bank: Path, shown: int) -> str:
    checked_folder(bank, "summary.json")
    summary = read_json(bank / "summary.json")
    unreadable = len(summary["unreadable"])
    ignored = f" ({unreadable} unreadable)" if unreadable else ""
    return f"{shown} of them, evenly spaced. Masks of {summary['images']} images{ignored}."


def draw_bank_sheet(bank: Path, figure: Path) -> None:
    """Draw evenly spaced objects of the bank, and a bar for each verdict of its table, to a PNG.

    Raises InputError for a bank that is missing or empty, and for a table without masks.
    """
    checked_folder(bank, "table.csv")
    table = pd.read_csv(bank / "table.csv")
    if table.empty:
        raise InputError(f"{bank / 'table.csv'}: expected one row per mask, found none: rebuild it")
    cutouts = load_bank(bank)
    chosen = evenly_spaced(len(cutouts), COLUMNS * ROWS)
    rows = grid_rows([Tile(on_checkerboard(cutouts[i])) for i in chosen], COLUMNS)
    title = f"The occluder bank: {len(cutouts)} objects from {len(table)} masks"
    sheet = draw_sheet(rows, title, _subtitle(bank, len(chosen)), LAYOUT)
    _draw_verdicts(sheet, table["verdict"])
    save_figure(sheet, figure)
