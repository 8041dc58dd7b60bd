"""The patches that DPSM keeps of the queries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from pipeline.cli import run_stage
from pipeline.data.shards import ShardReader
from pipeline.errors import InputError
from pipeline.evaluation.embed import camera_rows, load_trained
from pipeline.files import read_json
from pipeline.model.dpeformer import DPEFormer
from pipeline.model.dpsm import Selection
from pipeline.options import ImageOptions
from pipeline.reporting.sheets import (
    ORANGE,
    Layout,
    Row,
    Tile,
    checked_folder,
    draw_sheet,
    evenly,
    rgb,
    save_figure,
)
from pipeline.training.views import normalise, resize

COLUMNS = 8
DIMMED = 0.25
"""Brightness that is left of a patch that was dropped."""
LAYOUT = Layout(height=256, width=128, label=0)


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


def _select(
    model: DPEFormer, pictures: np.ndarray, cameras: torch.Tensor | None, options: ImageOptions
) -> Selection:
    """What a network in evaluation mode selects of `pictures` (B, H, W, 3) uint8."""
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2)  # (B, 3, H, W)
    with torch.inference_mode():
        return model(normalise(images, options), cameras).selection


def _pairs(
    pictures: np.ndarray, captions: list[str], selection: Selection, grid: tuple[int, int]
) -> list[Tile]:
    """Each picture, followed by what is kept of it."""
    tiles = []
    for i, picture in enumerate(pictures):
        kept = selection.kept[i].reshape(grid).numpy()
        shown = dim_dropped(picture, kept, int(selection.proxy[i]))
        tiles += [Tile(picture, captions[i]), Tile(shown, f"k = {int(selection.k[i])}")]
    return tiles


def draw_patches(shards: Path, weights: Path, record: Path, figure: Path, images: int = 12) -> None:
    """Draw evenly chosen queries, each beside the patches that a trained DPSM keeps, to a PNG.

    Raises InputError when a file is missing or the variant selects no patches.
    """
    for path in (weights, record):
        checked_folder(path.parent, path.name)
    model, options = load_trained(weights, record)
    if options.model.selection != "dpsm":
        raise InputError(
            f"{record}: expected model.selection dpsm, found {options.model.selection}: this "
            "variant drops no patches, draw another one"
        )
    reader = ShardReader(shards, "query")
    size = (options.image.width, options.image.height)
    chosen = evenly(len(reader), images)
    pictures = np.stack([resize(reader.image(i), size) for i in chosen])
    rows = reader.index.iloc[chosen]
    captions = [f"{i}, c{c}" for i, c in zip(rows["identity"], rows["camera"], strict=True)]
    grid = options.backbone.grid(options.image)
    cameras = camera_rows(model, rows["camera"].tolist(), rows["key"].tolist())
    selection = _select(model, pictures, cameras, options.image)
    tiles = _pairs(pictures, captions, selection, grid)
    run = read_json(record)
    title = f"Patches that DPSM keeps ({run['variant']}, seed {run['seed']})"
    subtitle = (
        f"Left: evenly chosen queries, with identity and camera. Right: the k of "
        f"{grid[0] * grid[1]} patches that are kept; orange: the proxy."
    )
    lines = [Row("", tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    save_figure(draw_sheet(lines, title, subtitle, LAYOUT), figure)


if __name__ == "__main__":
    run_stage(draw_patches)
