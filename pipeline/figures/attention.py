"""Figure: FBM's attention, from the slices of each part to those of the class token."""

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
from pipeline.figures.queries import describe_choice
from pipeline.figures.query_panel import QueryPanel, load_panel
from pipeline.figures.sheets import GREY, MARGIN, Layout, SheetRow, Tile, draw_sheet, save_figure
from pipeline.options.figures import FigureOptions
from pipeline.run import Run

CELL = 150
LAYOUT = Layout(height=CELL, width=CELL, label=0, bottom=86)
COLOURS = matplotlib.colormaps["viridis"]


def blending_attention(panel: QueryPanel) -> np.ndarray:
    """Compute FBM's attention of the queries, averaged over the heads: (B, P, T, T) float32.

    T = D / 16 slices. Rows are slices of the part, columns those of the class token; rows sum to 1.
    """
    inputs: list[tuple[Tensor, Tensor]] = []
    hook = panel.model.blending.register_forward_pre_hook(lambda _, given: inputs.append(given))
    panel.features()
    hook.remove()
    with torch.inference_mode():
        (attention,) = (panel.model.blending.attention(*given) for given in inputs)
    return attention.mean(dim=2).numpy()  # (B, P, 2 heads, T, T)


def heat_map(weights: np.ndarray, maximum: float) -> np.ndarray:
    """Draw weights (R, C) in 0..`maximum` as coloured squares, uint8 RGB."""
    colours = COLOURS(weights / maximum, bytes=True)[..., :3]
    scale = max(1, CELL // max(weights.shape))
    return np.kron(colours, np.ones((scale, scale, 1), np.uint8))


def _rows(panel: QueryPanel, attention: np.ndarray) -> list[SheetRow]:
    rows = []
    for image, caption, parts in zip(panel.images, panel.captions, attention, strict=True):
        maps = [
            Tile(heat_map(part, attention.max()), f"part {number}")
            for number, part in enumerate(parts, start=1)
        ]
        rows.append(SheetRow("", [Tile(image, caption), *maps]))
    return rows


def _draw_scale(figure: Figure, maximum: float, slices: int) -> None:
    width, height = figure.get_size_inches() * figure.dpi
    axes = figure.add_axes((2 * MARGIN / width, 48 / height, 4 * CELL / width, 14 / height))
    scale = ScalarMappable(Normalize(0, maximum), COLOURS)
    figure.colorbar(scale, cax=axes, orientation="horizontal")
    axes.tick_params(labelsize=6)
    axes.axvline(1 / slices, color="white", lw=1.5)
    title = f"attention weight (white line: 1/{slices}, uniform attention)"
    axes.set_title(title, size=7, loc="left", color=GREY)


def draw_attention(shards: Path, run: Run, figure: Path, options: FigureOptions) -> None:
    """Draw queries beside a heat map of FBM's attention for each part to a PNG.

    Raises InputError for an unknown key in `options.queries` and for a variant without FBM.
    """
    panel = load_panel(shards, run, options)
    model = panel.model
    if model.selection == "none" or model.fusion != "fbm":
        raise InputError(
            f"{run.path('run.json')}: expected model.fusion fbm and a patch-aware branch, found "
            f"fusion {model.fusion} and selection {model.selection}: give another variant"
        )
    attention = blending_attention(panel)
    title = f"FBM's attention to the class token ({panel.run})"
    subtitle = (
        f"{describe_choice(options, 'AP', len(panel.captions))} Rows: slices of the part, "
        "columns: of the class token; mean over the heads."
    )
    sheet = draw_sheet(_rows(panel, attention), title, subtitle, LAYOUT)
    _draw_scale(sheet, attention.max(), attention.shape[-1])
    save_figure(sheet, figure)
