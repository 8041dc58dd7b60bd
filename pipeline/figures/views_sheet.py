"""Figure: contact sheet of the two views of training images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.data.shards import ShardReader
from pipeline.data.training_images import TrainingImages
from pipeline.figures.sheets import Layout, SheetRow, Tile, draw_sheet, evenly_spaced, save_figure
from pipeline.occluders.bank import load_bank
from pipeline.options.run import RunOptions
from pipeline.training.occlusion import make_occluder
from pipeline.training.views import two_views

COLUMNS, PAIRS = 12, 3
"""Images per row, and number of pairs of rows."""
LAYOUT = Layout(height=144, width=72, label=110, captions=False, group=2)
LONG_NAMES = {"roa": "realistic occlusion augmentation (ROA)", "none": "nothing"}
"""By `augment.occlusion`."""


def draw_views_sheet(
    shards: Path, bank: Path, figure: Path, options: RunOptions, seed: int = 0
) -> None:
    """Draw clean views of evenly spaced training images above their second views to a PNG.

    Uses the augmentation of the training. Raises InputError for shards or a bank that are missing,
    damaged or empty.
    """
    images = TrainingImages(ShardReader(shards, "train"), options.image)
    augment = options.augment
    occluder = make_occluder(augment, options.image, load_bank(bank), images)
    views = []
    for i in evenly_spaced(len(images), COLUMNS * PAIRS):
        rng = np.random.default_rng([seed, i])
        views.append(two_views(images.source(i), images.size, augment, occluder, rng))
    rows = []
    for start in range(0, len(views), COLUMNS):
        clean, second = zip(*views[start : start + COLUMNS], strict=True)
        rows += [SheetRow("clean view", [Tile(view) for view in clean])]
        rows += [SheetRow("second view", [Tile(view) for view in second])]
    name = LONG_NAMES.get(augment.occlusion, augment.occlusion.replace("_", " "))
    title = f"Training views: {len(views)} images, occluded by {name}"
    subtitle = "Evenly spaced training images: each clean view is above its second view."
    save_figure(draw_sheet(rows, title, subtitle, LAYOUT), figure)
