"""The patches that DPSM keeps of the queries."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.errors import InputError
from pipeline.figures.queries import how_chosen
from pipeline.figures.query_panel import QueryPanel, load_panel
from pipeline.figures.sheets import ORANGE, Layout, SheetRow, Tile, draw_sheet, rgb, save_figure
from pipeline.options.figures import FigureOptions
from pipeline.run import Run

COLUMNS = 6
DIMMED = 0.25
"""Brightness that is left of a patch that was dropped."""
LAYOUT = Layout(height=296, width=148, label=0)


def dim_dropped(image: np.ndarray, kept: np.ndarray, proxy: int) -> np.ndarray:
    """Darken the patches that were dropped and frame the proxy in orange.

    The grid of patches is laid over the whole image: of patches that overlap, their middles show.
    `image` is (H, W, 3) uint8, `kept` (rows, columns) bool, `proxy` an index in raster order.
    """
    rows, columns = kept.shape
    row = np.arange(image.shape[0]) * rows // image.shape[0]  # (H,): each pixel's row of the grid
    column = np.arange(image.shape[1]) * columns // image.shape[1]
    shown = np.where(kept[row][:, column, None], image, (image * DIMMED).astype(np.uint8))
    top, bottom = np.searchsorted(row, [proxy // columns, proxy // columns + 1])
    left, right = np.searchsorted(column, [proxy % columns, proxy % columns + 1])
    window = shown[top:bottom, left:right]
    inside = window[2:-2, 2:-2].copy()
    window[:] = rgb(ORANGE)
    window[2:-2, 2:-2] = inside
    return shown


def kept_pairs(panel: QueryPanel, run: Run) -> list[Tile]:
    """Each picture, followed by what is kept of it."""
    selection = panel.features().selection
    if selection is None:
        raise InputError(
            f"{run.path('run.json')}: expected a variant that selects patches, found "
            f"model.selection {panel.model.selection}, which drops none: draw another one"
        )
    grid = panel.model.backbone.patch_embed.grid_size
    tiles = []
    for i, picture in enumerate(panel.pictures):
        kept = selection.kept[i].reshape(grid).numpy()
        k, proxy = int(selection.k[i]), int(selection.proxy[i])
        tiles.append(Tile(picture, panel.captions[i]))
        tiles.append(Tile(dim_dropped(picture, kept, proxy), f"k = {k} of {kept.size}"))
    return tiles


def draw_patches(shards: Path, run: Run, figure: Path, options: FigureOptions) -> None:
    """Draw queries, each beside the patches that the trained DPSM of `run` keeps, to a PNG.

    `options` say which queries, or how many of the highest and the lowest AP. Raises InputError
    when a key is no query or the variant selects no patches.
    """
    panel = load_panel(shards, run, options)
    tiles = kept_pairs(panel, run)
    title = f"Patches that DPSM keeps ({panel.run})"
    chosen = how_chosen(options, "AP", len(panel.captions))
    subtitle = f"{chosen} Right: what is kept of each; orange: the proxy."
    lines = [SheetRow("", tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    save_figure(draw_sheet(lines, title, subtitle, LAYOUT), figure)
