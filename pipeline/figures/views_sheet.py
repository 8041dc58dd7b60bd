"""A contact sheet of what the network is trained on: the two views of training images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.data.shards import ShardReader
from pipeline.data.training_images import TrainingImages
from pipeline.figures.sheets import Layout, SheetRow, Tile, draw_sheet, evenly, save_figure
from pipeline.occluders.bank import load_bank
from pipeline.options.run import RunOptions
from pipeline.training.occlusion import make_occluder
from pipeline.training.views import two_views

COLUMNS, PAIRS = 12, 3
"""Images in a row; rows of clean views, each with its row of second views."""
LAYOUT = Layout(height=144, width=72, label=110, captions=False, group=2)


def draw_views_sheet(
    shards: Path, bank: Path, figure: Path, options: RunOptions, seed: int = 0
) -> None:
    """Draw clean views of evenly chosen training images over their second views to a PNG.

    The views come from the code that trains, with the options of a variant and the bank's objects.
    Raises InputError when the shards or the bank are missing, broken or empty.
    """
    images = TrainingImages(ShardReader(shards, "train"), options.image)
    occluder = make_occluder(options.augment, options.image, load_bank(bank), images)
    chosen = evenly(len(images), COLUMNS * PAIRS)
    views = [
        two_views(
            images.source(i),
            images.size,
            options.augment,
            occluder,
            np.random.default_rng([seed, i]),
        )
        for i in chosen
    ]
    rows = []
    for start in range(0, len(views), COLUMNS):
        clean, second = zip(*views[start : start + COLUMNS], strict=True)
        rows += [SheetRow("clean view", [Tile(view) for view in clean])]
        rows += [SheetRow("second view", [Tile(view) for view in second])]
    title = f"What is trained on: {len(views)} images and their occlusion by {_named(options)}"
    subtitle = (
        "Each clean view stands over the second view of the same image. Images spread evenly "
        "over the training set."
    )
    save_figure(draw_sheet(rows, title, subtitle, LAYOUT), figure)


def _named(options: RunOptions) -> str:
    names = {"roa": "realistic occlusion augmentation (ROA)", "none": "nothing"}
    return names.get(options.augment.occlusion, options.augment.occlusion.replace("_", " "))
