"""What FBM takes up: how the slices of each part attend to those of the global feature."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from pipeline.errors import InputError
from pipeline.figures.queries import how_chosen
from pipeline.figures.query_panel import QueryPanel, load_panel
from pipeline.figures.sheets import GREY, MARGIN, Layout, SheetRow, Tile, draw_sheet, save_figure
from pipeline.options.figures import FigureOptions
from pipeline.run import Run

CELL = 150
LAYOUT = Layout(height=CELL, width=CELL, label=0, bottom=86)
COLOURS = matplotlib.colormaps["viridis"]


def blending_attention(panel: QueryPanel) -> np.ndarray:
    """(B, P, D / 16, D / 16) float32: row by row what slices of the parts attend to; heads' mean.

    Rows are a part's slices, columns the global feature's; each row sums to 1.
    """
    inputs: list[tuple[Tensor, Tensor]] = []
    hook = panel.model.blending.register_forward_pre_hook(lambda _, each: inputs.append(each))
    panel.features()
    hook.remove()
    with torch.inference_mode():
        (attention,) = (panel.model.blending.attention(*each) for each in inputs)  # (B, P, 2, T, T)
    return attention.mean(dim=2).numpy()


def heat(shares: np.ndarray, largest: float) -> np.ndarray:
    """Shares (R, C) as squares of colour, dark for 0 and bright for `largest`: uint8 RGB."""
    colours = COLOURS(shares / largest, bytes=True)[..., :3]
    scale = max(1, CELL // max(shares.shape))
    return np.kron(colours, np.ones((scale, scale, 1), np.uint8))


def _rows(panel: QueryPanel, attention: np.ndarray) -> list[SheetRow]:
    rows = []
    for picture, caption, parts in zip(panel.pictures, panel.captions, attention, strict=True):
        maps = [
            Tile(heat(part, attention.max()), f"part {number}")
            for number, part in enumerate(parts, start=1)
        ]
        rows.append(SheetRow("", [Tile(picture, caption), *maps]))
    return rows


def _draw_scale(figure: Figure, largest: float, slices: int) -> None:
    width, height = figure.get_size_inches() * figure.dpi
    axes = figure.add_axes((2 * MARGIN / width, 48 / height, 4 * CELL / width, 14 / height))
    scale = ScalarMappable(Normalize(0, largest), COLOURS)
    figure.colorbar(scale, cax=axes, orientation="horizontal")
    axes.tick_params(labelsize=6)
    axes.axvline(1 / slices, color="white", lw=1.5)
    axes.set_title(
        f"share of a row; white line: 1/{slices}, all slices alike", size=7, loc="left", color=GREY
    )


def draw_attention(shards: Path, run: Run, figure: Path, options: FigureOptions) -> None:
    """Draw queries, each beside a heat map for each part of the trained FBM of `run`, to a PNG.

    `options` say which queries, or how many of the highest and the lowest AP. Raises InputError
    when a key is no query or the variant blends nothing.
    """
    panel = load_panel(shards, run, options)
    model = panel.model
    if model.selection == "none" or model.fusion != "fbm":
        raise InputError(
            f"{run.path('run.json')}: expected model.fusion fbm on a patch-aware branch, found "
            f"fusion {model.fusion} and selection {model.selection}: draw another variant"
        )
    attention = blending_attention(panel)
    title = f"What FBM takes up of the global feature ({panel.run})"
    subtitle = (
        f"{how_chosen(options, 'AP', len(panel.captions))} Rows: slices of the part; "
        "columns: slices of the global feature; mean of the heads."
    )
    sheet = draw_sheet(_rows(panel, attention), title, subtitle, LAYOUT)
    _draw_scale(sheet, attention.max(), attention.shape[-1])
    save_figure(sheet, figure)
