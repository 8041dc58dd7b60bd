"""Figure: the patches of queries that DPSM keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.errors import InputError
from pipeline.figures.queries import describe_choice
from pipeline.figures.query_panel import QueryPanel, load_panel
from pipeline.figures.sheets import ORANGE, Layout, Tile, draw_sheet, grid_rows, rgb, save_figure
from pipeline.options.figures import FigureOptions
from pipeline.run import Run

COLUMNS = 6
DIMMED = 0.25
"""Brightness of a dropped patch, as a fraction."""
LAYOUT = Layout(height=296, width=148, label=0)


def dim_dropped(image: np.ndarray, kept: np.ndarray, proxy: int) -> np.ndarray:
    """Darken the dropped patches of an image (H, W, 3) uint8 and frame the proxy in orange.

    `kept` (rows, columns) bool, `proxy` a raster index. The grid is stretched over the whole image:
    a cell is the centre of its patch where patches overlap.
    """
    rows, columns = kept.shape
    row = np.arange(image.shape[0]) * rows // image.shape[0]  # (H,): row of the grid per pixel
    column = np.arange(image.shape[1]) * columns // image.shape[1]
    dimmed = np.where(kept[row][:, column, None], image, (image * DIMMED).astype(np.uint8))
    top, bottom = np.searchsorted(row, [proxy // columns, proxy // columns + 1])
    left, right = np.searchsorted(column, [proxy % columns, proxy % columns + 1])
    window = dimmed[top:bottom, left:right]
    inside = window[2:-2, 2:-2].copy()
    window[:] = rgb(ORANGE)
    window[2:-2, 2:-2] = inside
    return dimmed


def kept_patch_tiles(panel: QueryPanel, run: Run) -> list[Tile]:
    """Return each query, followed by its kept patches."""
    selection = panel.features().selection
    if selection is None:
        raise InputError(
            f"{run.path('run.json')}: expected a variant that selects patches, found "
            f"model.selection {panel.model.selection}: give another variant"
        )
    grid = panel.model.backbone.patch_embed.grid_size
    tiles = []
    for i, image in enumerate(panel.images):
        kept = selection.kept[i].reshape(grid).numpy()
        k, proxy = int(selection.k[i]), int(selection.proxy[i])
        tiles.append(Tile(image, panel.captions[i]))
        tiles.append(Tile(dim_dropped(image, kept, proxy), f"k = {k} of {kept.size}"))
    return tiles


def draw_patches(shards: Path, run: Run, figure: Path, options: FigureOptions) -> None:
    """Draw queries beside the patches that the trained DPSM of `run` keeps to a PNG.

    Raises InputError for an unknown key in `options.queries` and for a variant that selects no
    patches.
    """
    panel = load_panel(shards, run, options)
    rows = grid_rows(kept_patch_tiles(panel, run), COLUMNS)
    chosen = describe_choice(options, "AP", len(panel.captions))
    title = f"Patches that DPSM keeps ({panel.run})"
    subtitle = f"{chosen} Right of each query: its kept patches; orange: the proxy."
    save_figure(draw_sheet(rows, title, subtitle, LAYOUT), figure)
