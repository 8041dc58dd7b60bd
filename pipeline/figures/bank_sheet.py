"""A contact sheet of the occluder bank, and why the other masks were dropped."""

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
    SheetRow,
    Tile,
    draw_sheet,
    evenly,
    save_figure,
)
from pipeline.files import checked_folder, read_json
from pipeline.occluders.bank import load_bank

COLUMNS, ROWS = 12, 6
CHECK = 8
"""Pixels of a square of the checkerboard."""
LAYOUT = Layout(height=90, width=90, label=0, captions=False, bottom=230)


def on_checkerboard(cutout: np.ndarray) -> np.ndarray:
    """A cut-out (H, W, 4) uint8 over grey squares, which show where it is transparent."""
    y, x = np.indices(cutout.shape[:2])
    board = np.where((y // CHECK + x // CHECK) % 2, 255, 214)[..., None]
    alpha = cutout[..., 3:] / 255
    return (cutout[..., :3] * alpha + board * (1 - alpha)).round().astype(np.uint8)


def _verdicts(table: pd.DataFrame) -> pd.Series:
    """Masks of each verdict, the kept ones first, then the commonest reason."""
    counts = table["verdict"].value_counts()
    return counts.loc[sorted(counts.index, key=lambda v: (v != "kept", -counts[v], v))]


def _draw_verdicts(figure: Figure, counts: pd.Series) -> None:
    height, width = figure.get_size_inches()[::-1] * figure.dpi
    left, bottom = 190 / width, (MARGIN + 16) / height
    axes = figure.add_axes((left, bottom, 1 - left - 90 / width, (LAYOUT.bottom - 60) / height))
    colours = [BLUE if verdict == "kept" else "#BBBBBB" for verdict in counts.index]
    axes.barh(range(len(counts)), counts.to_numpy(), color=colours, height=0.7)
    for y, count in enumerate(counts):
        axes.text(count, y, f" {count}", va="center", size=7)
    axes.set_yticks(range(len(counts)), counts.index, size=7)
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.set_title(
        "What became of each mask: kept, or dropped by the filter of this name",
        size=8,
        loc="left",
        color=GREY,
    )
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _subtitle(bank: Path, shown: int) -> str:
    """What the sheet shows, how many images it is from, and how many could not be read."""
    checked_folder(bank, "summary.json")
    summary = read_json(bank / "summary.json")
    unreadable = len(summary["unreadable"])
    lost = f" ({unreadable} unreadable)" if unreadable else ""
    return f"{shown} of them, evenly chosen. Masks of {summary['images']} images{lost}."


def draw_bank_sheet(bank: Path, figure: Path) -> None:
    """Draw evenly chosen cut-outs of the bank and a bar for each verdict of its table to a PNG.

    Raises InputError when the bank is missing, empty, or its table has no masks.
    """
    checked_folder(bank, "table.csv")
    table = pd.read_csv(bank / "table.csv")
    if table.empty:
        raise InputError(f"{bank / 'table.csv'}: expected a row for each mask, found none")
    cutouts = load_bank(bank)
    tiles = [Tile(on_checkerboard(cutouts[i])) for i in evenly(len(cutouts), COLUMNS * ROWS)]
    rows = [SheetRow("", tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    title = f"The occluder bank: {len(cutouts)} objects, cut out of {len(table)} masks of SAM"
    sheet = draw_sheet(rows, title, _subtitle(bank, len(tiles)), LAYOUT)
    _draw_verdicts(sheet, _verdicts(table))
    save_figure(sheet, figure)
